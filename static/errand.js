/* Errand: what HTML and HTMX cannot do by themselves. Each behaviour is bound by a data- attribute. */
(function () {
  "use strict";
  var root = document.documentElement;
  var all = function (selector, from) { return Array.prototype.slice.call((from || document).querySelectorAll(selector)); };

  /* Time zones: the browser has the list, and knows its own. */
  document.addEventListener("focusin", function (event) {
    var list = event.target.matches("[data-zones]") && event.target.list;
    if (!list || list.options.length || !Intl.supportedValuesOf) return;
    Intl.supportedValuesOf("timeZone").forEach(function (zone) { list.append(new Option(zone, zone)); });
  });

  /* Theme: set before the first paint, as this file is loaded in the head. */
  try { var theme = localStorage.getItem("theme"); if (theme === "light" || theme === "dark") root.dataset.theme = theme; } catch (e) { /* no storage */ }
  document.addEventListener("click", function (event) {
    if (!event.target.closest("[data-theme-switch]")) return;
    var now = root.dataset.theme || (matchMedia("(prefers-color-scheme:dark)").matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch (e) { /* no storage */ }
  });

  /* Times: the reader's own clock; the title keeps the exact moment. */
  var two = function (number) { return String(number).padStart(2, "0"); };
  function clock(date) { return two(date.getHours()) + ":" + two(date.getMinutes()) + ":" + two(date.getSeconds()); }
  function day(date) { return date.toLocaleDateString(undefined, { day: "numeric", month: "short", year: Math.abs(Date.now() - date) > 26e9 ? "numeric" : undefined }); }
  function ago(date) {
    var seconds = (Date.now() - date) / 1000;
    var midnight = new Date(); midnight.setHours(0, 0, 0, 0);
    var days = Math.ceil((midnight - date) / 864e5);
    if (seconds < 10) return "just now";
    if (seconds < 60) return Math.floor(seconds) + "s ago";
    if (seconds < 3600) return Math.floor(seconds / 60) + " min ago";
    if (days <= 0) return two(date.getHours()) + ":" + two(date.getMinutes()) + " today";
    if (days === 1) return two(date.getHours()) + ":" + two(date.getMinutes()) + " yesterday";
    return days < 7 ? days + " days ago" : day(date);
  }
  function showTimes(from) {
    all("time[data-when]", from).forEach(function (time) {
      var date = new Date(time.dateTime);
      var style = time.dataset.when;
      var today = date.toDateString() === new Date().toDateString();
      var time_of_day = style === "minute" ? clock(date).slice(0, 5) : clock(date);
      var text = style === "ago" ? ago(date) : style === "time" || today ? time_of_day : day(date) + " " + time_of_day;
      if (time.textContent !== text) time.textContent = text;
    });
    all("text[data-at]", from).forEach(function (tick) { tick.textContent = clock(new Date(tick.dataset.at)).slice(0, 5); });
  }

  /* Durations that grow: corrected by what the server said, as clocks differ. */
  function duration(seconds) {
    var whole = Math.floor(seconds), minutes = Math.floor(whole / 60), hours = Math.floor(minutes / 60);
    if (hours >= 24) return Math.floor(hours / 24) + "d " + (hours % 24) + "h";
    if (hours) return hours + "h " + two(minutes % 60) + "m";
    return minutes ? minutes + "m " + two(whole % 60) + "s" : whole + "s";
  }
  function parsed(text) {
    var units = { d: 86400, h: 3600, m: 60, s: 1 }, total = 0;
    text.replace(/([\d.]+)([dhms])/g, function (_, number, unit) { total += number * units[unit]; });
    return total;
  }
  function tick() {
    all("[data-since]").forEach(function (element) {
      if (!element.errandStart) element.errandStart = performance.now() - parsed(element.textContent) * 1000;
      element.textContent = duration((performance.now() - element.errandStart) / 1000);
    });
  }

  /* Follow: let go when the reader scrolls up, take hold again at the end. The box is turned over while it follows. */
  document.addEventListener("scroll", function (event) {
    var box = event.target;
    if (!box.classList || !box.classList.contains("logbox")) return;
    var follow = document.querySelector(".follow");
    if (!follow) return;
    if (follow.checked && box.scrollTop < -40) {
      var place = box.scrollHeight - box.clientHeight + box.scrollTop;
      follow.checked = false;
      box.scrollTop = place;
    } else if (!follow.checked && box.scrollTop > 0 && box.scrollHeight - box.clientHeight - box.scrollTop < 4 && box.scrollHeight > box.clientHeight + 8) {
      follow.checked = true;
      box.scrollTop = 0;
    }
  }, true);

  /* Pickers: say in the closed control what is chosen. */
  document.addEventListener("change", function (event) {
    var pick = event.target.closest("[data-pick]");
    if (!pick || event.target.type === "search") return;
    var shown = pick.querySelector("[data-chosen]");
    var labels = all("input:checked", pick).filter(function (input) { return input.value !== ""; }).map(function (input) {
      return input.closest("label").textContent.trim();
    });
    shown.replaceChildren.apply(shown, (labels.length ? labels : [shown.dataset.none]).map(function (text) {
      var part = document.createElement("span");
      part.className = labels.length ? "obj" : "dim";
      part.textContent = text;
      return part;
    }));
    var summary = pick.querySelector("summary");
    summary.setAttribute("aria-label", summary.dataset.label + ": " + (labels.join(", ") || "nothing chosen") + ", change");
  });
  /* A picker of one closes when an option is pressed, or by Enter; arrows choose too, and go on to the next. */
  function closePicker(pick) {
    pick.open = false;
    pick.querySelector("summary").focus();
  }
  document.addEventListener("click", function (event) {
    var label = event.target.closest("[data-pick] label");
    /* The click that an arrow key makes has no detail. */
    if (!label || !event.detail || !label.querySelector("input[type=radio]")) return;
    /* Only after the label has chosen its input. */
    setTimeout(function () { closePicker(label.closest("[data-pick]")); });
  });
  document.addEventListener("keydown", function (event) {
    var pick = event.target.closest && event.target.closest("[data-pick][open]");
    if (!pick || event.isComposing) return;
    if (event.key === "Escape" || (event.key === "Enter" && event.target.matches("input[type=radio],input[type=checkbox]"))) {
      event.preventDefault();
      closePicker(pick);
    }
  });
  /* What is typed into a picker's search is no choice: other pickers must not hear of it. And what was sent while it
     was typed is not sent again when the field is left, which would draw anew what was just opened. */
  document.addEventListener("change", function (event) {
    if (event.target.matches("[data-no-submit],[data-typed]")) event.stopPropagation();
  }, true);
  /* A picker that is drawn again because another input changed stays open if it was. */
  var openPicker = "", inPicker = false;
  document.addEventListener("htmx:beforeSwap", function (event) {
    var target = event.detail.target;
    openPicker = target.matches && target.matches("[data-picker]") && target.querySelector("details[open]") ? target.id : "";
    inPicker = !!openPicker && target.contains(document.activeElement);
  });
  document.addEventListener("htmx:afterSettle", function () {
    var picker = openPicker && document.getElementById(openPicker);
    if (!picker) return;
    openPicker = "";
    picker.querySelector("details").open = true;
    if (inPicker) picker.querySelector("input[type=search]").focus();
  });
  /* What was chosen while a search was on its way stays chosen: the answer knows only what was chosen before. */
  var chosenLines = [];
  document.addEventListener("htmx:beforeSwap", function (event) {
    var list = event.detail.target;
    chosenLines = list.matches && list.matches("[data-picker] ul") ? all("input:checked", list).map(function (input) { return input.closest("li"); }) : null;
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    var list = event.detail.target;
    if (!chosenLines || !list.matches || !list.matches("[data-picker] ul")) return;
    var values = chosenLines.map(function (line) { return line.querySelector("input").value; });
    all("input", list).forEach(function (input) { input.checked = values.indexOf(input.value) >= 0; });
    chosenLines.reverse().forEach(function (line) {
      var value = line.querySelector("input").value;
      if (all("input", list).some(function (input) { return input.value === value; })) return;
      list.prepend(line);
      line.querySelector("input").checked = true;
    });
    chosenLines = null;
  });
  /* Enter in a picker's search looks for objects; it does not run the job. */
  document.addEventListener("keydown", function (event) {
    if (event.key === "Enter" && event.target.matches && event.target.matches("[data-no-submit]")) event.preventDefault();
  });

  /* Fields that change because another did: what was typed or chosen in them since that was sent stays. */
  function held(control) { return control.type === "checkbox" || control.type === "radio" ? control.checked : control.value; }
  function controls(from) { return all("input:not([type=hidden],[type=file]),select,textarea", from); }
  document.addEventListener("htmx:beforeRequest", function (event) {
    if (!event.target.matches("[data-reacts]")) return;
    controls(event.target.closest("form")).forEach(function (control) { control.errandSent = held(control); });
  });
  document.addEventListener("htmx:oobBeforeSwap", function (event) {
    controls(event.detail.target).forEach(function (control) {
      if (control.errandSent === undefined || control.errandSent === held(control)) return;
      controls(event.detail.fragment).forEach(function (fresh) {
        if (fresh.name !== control.name) return;
        if (typeof held(control) === "boolean") { if (fresh.value === control.value) fresh.checked = control.checked; }
        else if (fresh.tagName !== "SELECT" || all("option", fresh).some(function (option) { return option.value === control.value; })) fresh.value = control.value;
      });
    });
  });

  /* A file that would be refused is said so before it is sent. */
  document.addEventListener("change", function (event) {
    var input = event.target, most = Number(input.dataset.mostBytes);
    if (!most) return;
    var large = Array.prototype.some.call(input.files, function (file) { return file.size > most; });
    input.setCustomValidity(large ? "The file is larger than " + input.dataset.most + ", the most that is taken here." : "");
    if (large) input.reportValidity();
  });

  /* Copy buttons appear where they can work. */
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-copy],[data-copy-text]");
    if (!button) return;
    var word = button.lastChild, said = word.textContent;
    var text = button.dataset.copyText || document.querySelector(button.dataset.copy).textContent;
    navigator.clipboard.writeText(text).then(function () {
      if (said === "Copied") return;
      word.textContent = "Copied";
      setTimeout(function () { word.textContent = said; }, 2000);
    });
  });
  function showCopy() {
    if (navigator.clipboard) all("[data-copy],[data-copy-text]").forEach(function (button) { button.hidden = false; });
  }

  /* Sliders: the number that they stand at. */
  function showSlides() {
    all("[data-slide]").forEach(function (slide) {
      var output = slide.querySelector("output");
      output.textContent = slide.querySelector("input").value;
      output.hidden = false;
    });
  }
  document.addEventListener("input", function (event) { if (event.target.closest("[data-slide]")) showSlides(); });

  /* Tabs that have no room side by side: the current one is in sight. */
  function showCurrentTab() {
    all(".views .tabs [aria-current]").forEach(function (tab) {
      var nav = tab.parentNode, beyond = tab.getBoundingClientRect().right + 48 - nav.getBoundingClientRect().right;
      if (beyond > 0) nav.scrollLeft += beyond;
    });
  }

  /* Menus close when the reader turns elsewhere. */
  document.addEventListener("click", function (event) {
    all("details.menu[open]").forEach(function (menu) { if (!menu.contains(event.target)) menu.open = false; });
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    all("details.menu[open]").forEach(function (menu) {
      var inside = menu.contains(document.activeElement);
      menu.open = false;
      if (inside) menu.querySelector("summary").focus();
    });
  });

  /* What is opened to type into is ready to type into. */
  document.addEventListener("toggle", function (event) {
    var details = event.target;
    if (details.open && details.dataset.opens && details.contains(document.activeElement)) details.querySelector(details.dataset.opens).focus();
  }, true);

  /* A link to a line that is not on the page: open the page around it. */
  function findLine() {
    var line = /^#L(\d{1,9})$/.exec(location.hash), log = document.querySelector("[data-log]");
    if (line && log && !document.getElementById("L" + line[1]) && location.search.indexOf("line=" + line[1]) < 0) {
      location.replace(log.dataset.log + "?line=" + line[1] + location.hash);
    }
  }
  addEventListener("hashchange", findLine);

  /* What the reader asked to be told about: said once, by the window that the server lets say it. */
  function mayNotify() { return "Notification" in window && Notification.permission === "granted"; }
  function say(link) {
    /* They have just seen it end. */
    if (!document.hidden && location.pathname === link.pathname) return;
    if (document.hidden) {
      document.title = "\u25cf " + document.title.replace(/^\u25cf /, "");
      if (mayNotify()) try {
        var shown = new Notification(link.textContent, { tag: "errand-" + link.dataset.notice });
        shown.onclick = function () { focus(); location.assign(link.href); };
      } catch (e) { /* only from a service worker here */ }
    }
    var toast = document.createElement("div"), text = document.createElement("div"), close = document.createElement("button");
    toast.className = "note toast " + link.className;
    link = link.cloneNode(true);
    link.hidden = false; link.removeAttribute("data-notice"); link.className = "name";
    text.append(link);
    close.className = "btn bare s"; close.type = "button"; close.textContent = "Close"; close.dataset.closeToast = "";
    toast.append(text, close);
    var toasts = document.getElementById("toasts");
    toasts.append(toast);
    if (toasts.children.length > 4) toasts.firstChild.remove();
  }
  var saying = false;
  function sayNews() {
    var now = document.getElementById("now"), news = all("[data-notice]", now);
    if (!now || !news.length || saying) return;
    var body = new URLSearchParams();
    news.forEach(function (link) { body.append("id", link.dataset.notice); });
    saying = true;
    fetch(news[0].dataset.seen, { method: "POST", headers: { "X-CSRFToken": now.dataset.token }, body: body }).then(function (answer) {
      return answer.ok ? answer.json() : { shown: [] };
    }).then(function (answer) {
      news.forEach(function (link) {
        if (answer.shown.indexOf(Number(link.dataset.notice)) >= 0) say(link);
        link.remove();
      });
    }, function () { /* the next poll finds them again */ }).finally(function () { saying = false; });
  }
  document.addEventListener("visibilitychange", function () { if (!document.hidden) document.title = document.title.replace(/^\u25cf /, ""); });
  document.addEventListener("click", function (event) {
    var close = event.target.closest("[data-close-toast]"), ask = event.target.closest("[data-ask-notify]");
    if (close) close.closest(".toast").remove();
    if (ask) Notification.requestPermission().then(showAsk);
  });
  /* Where it is said: there before anything is, or nobody reads it aloud. */
  function makeToasts() {
    var toasts = document.createElement("div");
    toasts.className = "toasts"; toasts.id = "toasts";
    toasts.setAttribute("role", "status");
    document.body.append(toasts);
  }
  function showAsk() {
    all("[data-ask-notify]").forEach(function (button) { button.hidden = !("Notification" in window) || Notification.permission !== "default"; });
  }

  /* Polls: none in a hidden tab, fewer while the server does not answer, and the reader is told. */
  var signedOut = false, failures = 0, quietUntil = 0, lastUpdate = new Date();
  var isPoll = function (event) { return event.target.matches && event.target.matches("[data-poll]"); };
  document.addEventListener("htmx:beforeRequest", function (event) {
    /* Who let the browser speak up wants to hear of what ends while they look elsewhere. */
    var away = document.hidden && !(event.target.id === "now" && mayNotify());
    if (isPoll(event) && (signedOut || away || performance.now() < quietUntil)) event.preventDefault();
  });
  function answered(event) {
    if (event.detail.xhr.status === 401) return tellSignedOut();
    if (!isPoll(event) || !event.detail.successful) return;
    failures = 0; quietUntil = 0; lastUpdate = new Date();
    /* What runs now is as it was, and so is the session. */
    if (event.target.id === "now" && event.detail.xhr.status === 204) document.getElementById("signed-out").hidden = true;
    var offline = document.getElementById("offline");
    if (offline) offline.hidden = true;
  }
  function unanswered(event) {
    if (!isPoll(event)) return;
    failures += 1;
    quietUntil = performance.now() + (failures < 3 ? 5000 : 15000);
    var offline = document.getElementById("offline");
    if (!offline) return;
    offline.querySelector("[data-last-update]").textContent = clock(lastUpdate);
    offline.hidden = false;
  }
  document.addEventListener("htmx:afterRequest", answered);
  document.addEventListener("htmx:sendError", unanswered);
  document.addEventListener("htmx:timeout", unanswered);
  document.addEventListener("htmx:responseError", function (event) {
    if (event.detail.xhr.status >= 500) unanswered(event);
  });

  /* A session that has ended takes nothing away: the page stays as it is, says so, and goes on after signing in. */
  function tellSignedOut() {
    var note = document.getElementById("signed-out");
    if (!note) return;
    signedOut = true;
    note.querySelector("a").href = note.dataset.signIn + "?next=" + encodeURIComponent(location.pathname + location.search);
    note.hidden = false;
  }
  /* What runs now tells who asks, and the token their forms need: a new one after signing in again. */
  function renewSession(now) {
    var shown = document.body.dataset.user;
    if (!now || !shown) return false;
    if (now.dataset.user !== shown) { tellSignedOut(); return false; }
    all("input[name=csrf_token]").forEach(function (input) { input.value = now.dataset.token; });
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": now.dataset.token }));
    document.getElementById("signed-out").hidden = true;
    return true;
  }
  document.addEventListener("htmx:afterSettle", function (event) {
    if (event.target.id === "now") renewSession(event.target);
    /* They also come with the end of a run. */
    sayNews();
  });
  /* Back in this tab, the reader may have signed in in another. */
  ["focus", "visibilitychange"].forEach(function (name) {
    addEventListener(name, function () { if (!document.hidden) signedOut = false; });
  });
  /* What was typed is only sent while there is a session to take it. */
  var checking = false;
  document.addEventListener("submit", function (event) {
    var form = event.target, now = document.getElementById("now");
    if (!form.matches("[data-run-form]") || !now || !window.AbortSignal || !AbortSignal.timeout) return;
    if (form.errandChecked) { form.errandChecked = false; return; }
    event.preventDefault();
    if (checking) return;
    checking = true;
    var submitter = event.submitter;
    var send = function () { form.errandChecked = true; form.requestSubmit(submitter); };
    fetch(now.getAttribute("hx-get"), { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(3000) }).then(function (answer) {
      if (answer.status === 401) return tellSignedOut();
      return answer.text().then(function (text) {
        var fresh = new DOMParser().parseFromString(text, "text/html").getElementById("now");
        if (!fresh || renewSession(fresh)) send();
      });
    }, send).finally(function () { checking = false; });
  });

  /* What came in is made complete first, so that what follows measures all of it. */
  document.addEventListener("htmx:afterSwap", function () { showTimes(); showCopy(); showSlides(); showCurrentTab(); });

  /* The end of a run puts its answer above the log. Whoever reads the log keeps their line where it is. */
  var readAt = null;
  document.addEventListener("htmx:beforeSwap", function (event) {
    var box = document.getElementById("logbox"), follow = document.querySelector(".follow");
    if (event.detail.target.id !== "log-poll" || !box) return;
    var reads = scrollY > 0 || (follow && !follow.checked) || box.contains(document.activeElement);
    readAt = reads ? { xhr: event.detail.xhr, top: box.getBoundingClientRect().top } : null;
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    var box = document.getElementById("logbox");
    if (!readAt || !box || event.detail.xhr !== readAt.xhr) return;
    var moved = box.getBoundingClientRect().top - readAt.top;
    readAt = null;
    if (moved) scrollBy({ top: moved, behavior: "instant" });
  });

  /* A choice that had to go may have narrowed others. */
  document.addEventListener("htmx:afterSettle", function (event) {
    var picker = event.target.closest && event.target.closest("[data-dropped]");
    if (picker) { picker.removeAttribute("data-dropped"); picker.dispatchEvent(new Event("change", { bubbles: true })); }
  });

  document.addEventListener("DOMContentLoaded", function () {
    showTimes(); tick(); findLine(); showCopy(); showSlides(); showCurrentTab(); showAsk(); makeToasts(); sayNews();
    setInterval(tick, 1000);
    setInterval(showTimes, 15000);
    all("[data-own-zone]").forEach(function (input) { input.value = Intl.DateTimeFormat().resolvedOptions().timeZone || input.value; });
    all("[data-focus]").forEach(function (element) { element.focus(); });
  });
})();
