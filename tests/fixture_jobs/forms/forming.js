(function () {
  "use strict";
  var input = document.getElementById("id_var1"), loud = document.querySelector("#id_loud");
  function say() {
    loud.value = input.value.toUpperCase();
    document.getElementById("said").textContent = "Typed: " + input.value;
  }
  input.addEventListener("input", say);
  if (input.value) say();
})()
