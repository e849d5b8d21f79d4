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

  /* The server reads what is typed of days and times on the reader's clock. */
  try {
    var zone = Intl.DateTimeFormat().resolvedOptions().timeZone, tls = location.protocol === "https:", kept = (tls ? "__Host-zone=" : "zone=") + zone;
    if (zone && document.cookie.indexOf(kept) < 0) document.cookie = kept + ";path=/;max-age=31536000;SameSite=Lax" + (tls ? ";Secure" : "");
  } catch (e) { /* no cookies, or no zone */ }

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
  function weekday(date) {
    var noon = new Date(), there = new Date(date);
    noon.setHours(12, 0, 0, 0); there.setHours(12, 0, 0, 0);
    return Math.abs(there - noon) < 6.5 * 864e5 ? date.toLocaleDateString(undefined, { weekday: "short" }) : "";
  }
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
      var text = style === "ago" ? ago(date) : style === "time" || today ? time_of_day : (style === "minute" && weekday(date) || day(date)) + " " + time_of_day;
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
  /* The tab shows how the run stands. */
  function showIcon() {
    var head = document.querySelector("[data-icon]"), link = document.querySelector("link[rel=icon]");
    if (head && link.getAttribute("href") !== head.dataset.icon) link.href = head.dataset.icon;
  }
  /* How far a run is, for those who hear the page: at most every ten seconds. */
  var saidAt = 0, saidLast = "";
  function sayProgress() {
    var far = document.querySelector("#progress [data-say]"), say = document.getElementById("say");
    if (!far || !say || performance.now() - saidAt < 10000) return;
    var warnings = Number((document.getElementById("n-warning") || far).textContent.replace(/\D/g, "")) || 0;
    var failures = Number((document.getElementById("n-failure") || far).textContent.replace(/\D/g, "")) || 0;
    var text = far.dataset.say + (warnings ? ", " + warnings + (warnings > 1 ? " warnings" : " warning") : "") + (failures ? ", " + failures + (failures > 1 ? " failures" : " failure") : "");
    if (text === saidLast) return;
    saidAt = performance.now();
    saidLast = say.textContent = text;
  }
  function tick() {
    sayProgress();
    all("[data-since]").forEach(function (element) {
      if (!element.errandStart) element.errandStart = performance.now() - parsed(element.textContent) * 1000;
      element.textContent = duration((performance.now() - element.errandStart) / 1000);
    });
  }

  /* The log was opened at one of its lines, and its end is not on the page: who follows has it loaded, as by another filter. */
  function endIsElsewhere() {
    var poll = document.getElementById("log-poll");
    return !!poll && /[?&]rows=0(&|$)/.test(poll.getAttribute("hx-get"));
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
    } else if (!follow.checked && !endIsElsewhere() && box.scrollTop > 0 && box.scrollHeight - box.clientHeight - box.scrollTop < 4 && box.scrollHeight > box.clientHeight + 8) {
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
    if (event.target.matches("[data-no-submit],[data-typed]") || event.target.matches(".follow") && !(event.target.checked && endIsElsewhere())) event.stopPropagation();
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

  /* Headings of a log fold their lines away, and those that come later under them. */
  var folded = new Set();
  function layFolds() {
    var within = false;
    all("#log > li").forEach(function (row) {
      if (row.dataset.level) { row.hidden = within; return; }
      var button = row.querySelector("[data-fold]");
      if (!button) return;
      within = folded.has(row.id);
      button.setAttribute("aria-expanded", String(!within));
    });
  }
  function showFolds() {
    all("#log > .g > [data-fold]").forEach(function (button) { button.hidden = false; });
    if (folded.size) layFolds();
  }
  function fold(heading, away) {
    if (away) folded.add(heading.id); else folded.delete(heading.id);
    layFolds();
  }
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-fold]");
    if (button) fold(button.closest("li"), button.getAttribute("aria-expanded") === "true");
  });
  /* A line may be out of sight because its level is off, or its heading is folded. */
  function bringToSight(row) {
    var level = document.querySelector("#log-filter [name=level][value='" + row.dataset.level + "']");
    if (level && !level.checked) { level.checked = true; row.scrollIntoView(); }
    unfoldTo(row);
  }
  function unfoldTo(row) {
    var heading = row;
    while (row.hidden && heading && !heading.querySelector("[data-fold]")) heading = heading.previousElementSibling;
    if (row.hidden && heading) { fold(heading, false); row.scrollIntoView(); }
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
    all(".tabs [aria-current]").forEach(function (tab) {
      var nav = tab.parentNode, beyond = tab.getBoundingClientRect().right + 48 - nav.getBoundingClientRect().right;
      if (beyond > 0) nav.scrollLeft += beyond;
    });
  }

  /* Rows that are ticked: how many, and all of the page at once. */
  function showTicked(form) {
    var boxes = all("[name=id]", form), ticked = boxes.filter(function (box) { return box.checked; }).length;
    var every = form.querySelector("[data-tick-all]"), words = form.querySelector("[data-ticked]");
    every.hidden = false;
    every.checked = ticked > 0 && ticked === boxes.length;
    every.indeterminate = ticked > 0 && ticked < boxes.length;
    words.textContent = every.checked ? "All " + ticked + " on this page are chosen" : ticked + " chosen";
  }
  document.addEventListener("change", function (event) {
    var form = event.target.form && event.target.form.closest("[data-ticks]");
    if (!form) return;
    if (event.target.matches("[data-tick-all]")) all("[name=id]", form).forEach(function (box) { box.checked = event.target.checked; });
    showTicked(form);
  });
  document.addEventListener("reset", function (event) {
    if (event.target.matches("[data-ticks]")) setTimeout(showTicked, 0, event.target);
  });
  document.addEventListener("htmx:load", function () { all("[data-ticks]").forEach(showTicked); });

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
    var row = line && document.getElementById("L" + line[1]);
    if (row) bringToSight(row);
    if (line && log && !row && new URLSearchParams(location.search).get("line") !== line[1]) {
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

  /* Polls: one for each page. None in a hidden tab, fewer where nobody is or nothing changes, and fewer while the
     server does not answer, of which the reader is told. Back at once when they act, look here again or something changes. */
  var signedOut = false, failures = 0, quietUntil = 0, lastUpdate = new Date();
  var actedAt = 0, changedAt = 0, frameAskedAt = 0, lastAsked = Object.create(null);
  var isPoll = function (event) { return event.target.matches && event.target.matches("[data-poll]"); };
  /* Milliseconds: while somebody is there or something changes, as often as the page says; after two minutes, and after
     ten, less often. */
  function pause(poll) {
    var moment = performance.now(), quiet = moment - Math.max(actedAt, changedAt);
    /* Whoever waits for the end of a run hears of it soon. */
    if (poll.id !== "now") return quiet < 12e4 ? 0 : 15000;
    /* Elsewhere something changes all the time, such as how long ago a worker was heard of: that keeps nobody awake. */
    return quiet >= 6e5 ? 60000 : quiet >= 12e4 || moment - actedAt >= 6e5 ? 15000 : 0;
  }
  document.addEventListener("htmx:beforeRequest", function (event) {
    var poll = event.target, moment = performance.now();
    if (!isPoll(event)) return;
    /* Who let the browser speak up wants to hear of what ends while they look elsewhere. */
    var away = document.hidden && !((poll.id === "now" || poll.id === "log-poll") && mayNotify());
    var early = moment - (lastAsked[poll.id] || -1e9) < (document.hidden ? Math.max(5000, pause(poll)) : pause(poll)) - 500;
    if (signedOut || away || early || moment < quietUntil) event.preventDefault();
    else lastAsked[poll.id] = moment;
  });
  function wake() {
    if (document.hidden) return;
    lastAsked = Object.create(null);
    all("[data-poll]").forEach(function (poll) { poll.dispatchEvent(new Event("wake")); });
  }
  ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"].forEach(function (name) {
    addEventListener(name, function () {
      var was = performance.now() - Math.max(actedAt, changedAt);
      actedAt = performance.now();
      if (was > 12e4) wake();
    }, { passive: true, capture: true });
  });
  /* The poll of a log brings what is new around its page, too, every few seconds. The poll of a list says how far down
     the reader has come. */
  document.addEventListener("htmx:configRequest", function (event) {
    var now = document.getElementById("now"), list = document.querySelector("[data-lines]"), asked = event.detail.parameters;
    if (!isPoll(event)) return;
    if (event.target.id === "log-poll" && now && now.dataset.frame && performance.now() - frameAskedAt > 5000) {
      asked.frame = now.dataset.frame;
      frameAskedAt = performance.now();
    } else if (event.target.id === "now" && list) asked.lines = all(list.dataset.lines, list).length;
  });
  function answered(event) {
    if (event.detail.xhr.status === 401) return tellSignedOut();
    /* What asked is not on the page any more where its answer took its place: then the event comes from around it. */
    if (!event.detail.target.matches("[data-poll]") || !event.detail.successful) return;
    failures = 0; quietUntil = 0; lastUpdate = new Date();
    if (event.detail.xhr.status !== 204) changedAt = performance.now();
    /* What runs now is as it was, and so is the session. */
    if (event.detail.xhr.status === 204 && (event.target.id === "now" || event.detail.requestConfig.parameters.frame)) document.getElementById("signed-out").hidden = true;
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

  /* What was typed of an input is a chip now; what was typed since then stays. */
  document.addEventListener("htmx:oobAfterSwap", function () {
    var field = document.getElementById("by-input");
    if (field && all("#input-chips input").some(function (chip) { return chip.value === field.value.trim().replace(/\s*(>=|<=|[:=<>])\s*/, "$1"); })) field.value = "";
  });

  /* A list that stays fresh. While the reader uses it, its rows change where they stand, and what came is offered;
     else it is put in place whole, as a reload would show it. */
  function plain(row) {
    var copy = row.cloneNode(true);
    all("time,[data-since]", copy).forEach(function (time) { time.textContent = ""; });
    all("[data-copy],[data-copy-text]", copy).forEach(function (button) { button.hidden = true; });
    [copy].concat(all("[class*=htmx-]", copy)).forEach(function (element) {
      element.className.baseVal === undefined && element.classList.remove("htmx-added", "htmx-settling", "htmx-swapping", "htmx-request");
    });
    return copy.outerHTML.replace(/ class=""/g, "").replace(/\s+/g, " ");
  }
  function rowsOf(part) { return all("[data-row],tbody > tr", part); }
  /* What a row is of: a page has no room for an id of each. */
  function keyOf(row) { return row.id || row.querySelector("a.name").getAttribute("href"); }
  function keysOf(part) { return rowsOf(part).map(keyOf); }
  function changed(control) {
    return control.type === "checkbox" || control.type === "radio" ? control.checked !== control.defaultChecked :
      control.tagName === "SELECT" ? all("option", control).some(function (option) { return option.selected !== option.defaultSelected; }) : control.value !== control.defaultValue;
  }
  function inUse(part) {
    return part.contains(document.activeElement) || part.matches(":hover") || part.getBoundingClientRect().top < 0 ||
      part.querySelector("details.menu[open],input:checked") || controls(part).some(changed);
  }
  /* What the reader typed or ticked in a row goes with it into the fresh one, and so does the focus. */
  function putInPlace(row, fresh) {
    var here = document.activeElement, inside = row.contains(here), at = inside ? alike(row, here).indexOf(here) : -1;
    controls(row).filter(changed).forEach(function (control) {
      var other = controls(fresh).find(function (one) { return one.name === control.name && (typeof held(control) !== "boolean" || one.value === control.value); });
      if (other && typeof held(control) === "boolean") other.checked = control.checked; else if (other) other.value = control.value;
    });
    if (row.tagName === "DETAILS") fresh.open = row.open;
    row.replaceWith(fresh);
    htmx.process(fresh);
    if (!inside) return;
    var next = (here.id && document.getElementById(here.id)) || alike(fresh, here)[at] || linkOf(fresh);
    if (!next) return;
    next.focus({ preventScroll: true });
    if (here.selectionStart !== undefined && here.selectionStart !== null && next.setSelectionRange && next.type !== "number") next.setSelectionRange(here.selectionStart, here.selectionEnd);
  }
  function offer(part, came) {
    var link = part.querySelector("[data-arrived]");
    if (!link) return;
    link.textContent = came + " " + link.dataset.arrived + (came === 1 ? "" : "s");
    link.hidden = !came;
  }
  document.addEventListener("htmx:oobBeforeSwap", function (event) {
    var part = event.detail.target, fragment = event.detail.fragment;
    var fresh = fragment.matches && fragment.matches("[data-fresh]") ? fragment : fragment.querySelector && fragment.querySelector("[data-fresh]");
    if (!part.matches("[data-fresh]") || !fresh) return;
    var old = keysOf(part), ids = keysOf(fresh), known = Object.create(null);
    var same = old.length > 0 && old.join() === ids.join();
    if (!same && !inUse(part)) {
      /* Groups that the reader has closed stay so. */
      all("details.grp:not([open])", part).forEach(function (group) {
        var other = fresh.querySelector("#" + CSS.escape(group.id));
        if (other) other.open = false;
      });
      return;
    }
    event.detail.shouldSwap = false;
    rowsOf(part).forEach(function (row) { known[keyOf(row)] = row; });
    rowsOf(fresh).forEach(function (row) {
      var shown = known[keyOf(row)];
      if (shown && plain(shown) !== plain(row)) putInPlace(shown, row.cloneNode(true));
    });
    offer(part, ids.filter(function (id) { return !known[id]; }).length);
    showTimes(part); showCopy();
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
    addEventListener(name, function () { if (!document.hidden) { signedOut = false; actedAt = performance.now(); if (name === "visibilitychange") wake(); } });
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
    fetch(now.getAttribute("hx-get") || now.dataset.check, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(3000) }).then(function (answer) {
      if (answer.status === 401) return tellSignedOut();
      return answer.text().then(function (text) {
        var fresh = new DOMParser().parseFromString(text, "text/html").getElementById("now");
        if (!fresh || renewSession(fresh)) send();
      });
    }, send).finally(function () { checking = false; });
  });

  /* What came in is made complete first, so that what follows measures all of it. */
  document.addEventListener("htmx:afterSwap", function () { showIcon(); showTimes(); showCopy(); showSlides(); showCurrentTab(); showFolds(); });

  /* What comes or goes above the log while a run goes on: whoever reads the log keeps their line where it is. */
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

  /* Earlier lines of a log come in above the line that was the first, which stays where it is. */
  var firstAt = null;
  document.addEventListener("htmx:beforeSwap", function (event) {
    var target = event.detail.target, line = target.matches && target.matches("#log > .back") && lineAfter(target);
    firstAt = line ? { line: line, top: line.getBoundingClientRect().top } : null;
  });
  document.addEventListener("htmx:afterSwap", function () {
    if (!firstAt) return;
    var moved = firstAt.line.getBoundingClientRect().top - firstAt.top, box = firstAt.line.closest(".logbox");
    (box && box.scrollHeight > box.clientHeight ? box : window).scrollBy({ top: moved, behavior: "instant" });
    firstAt = null;
  });

  /* A choice that had to go may have narrowed others. */
  document.addEventListener("htmx:afterSettle", function (event) {
    var picker = event.target.closest && event.target.closest("[data-dropped]");
    if (picker) { picker.removeAttribute("data-dropped"); picker.dispatchEvent(new Event("change", { bubbles: true })); }
  });

  /* Dialogs: they give the focus back to where it was. A press beside one closes it. */
  function openDialog(name) {
    var dialog = document.getElementById(name);
    if (!dialog || dialog.open || document.querySelector("dialog[open]")) return null;
    dialog.showModal();
    return dialog;
  }
  function closeDialog(dialog) {
    dialog.close();
    /* Where nothing had the focus before, a field that is out of sight would keep it for a moment, and swallow the next key. */
    if (dialog.contains(document.activeElement)) document.activeElement.blur();
  }
  document.addEventListener("click", function (event) {
    var dialog = event.target.closest("dialog[open]");
    if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) closeDialog(dialog);
  });

  /* Both of ours are made here: no page need carry what only works with this file. Before htmx looks at the page. */
  function makeDialogs() {
    var link = document.querySelector("[data-jump]");
    if (!link) return;
    document.body.insertAdjacentHTML("beforeend", '<dialog class="jumping" id="jump" aria-label="Jump to"><form role="search"><div class="find"><input class="in" id="jump-q" type="search" name="q" role="combobox" aria-label="Job, result, object, schedule or page" placeholder="Job, result, object, schedule or page" aria-controls="jump-options" aria-expanded="false" aria-autocomplete="list" maxlength="100" autocomplete="off" spellcheck="false" hx-trigger="input delay:60ms, open" hx-target="#jump-list" hx-sync="this:replace"></div></form><div id="jump-list"></div><p class="vh" role="status" id="jump-said"></p><p class="row sm dim"><span><kbd>\u2191</kbd> <kbd>\u2193</kbd> choose</span><span><kbd>Enter</kbd> open</span><button class="btn s bare push" type="button" data-close>Close <kbd>Esc</kbd></button></p></dialog><dialog id="keys" aria-labelledby="keys-h"><div hx-trigger="open"></div></dialog>');
    link.setAttribute("aria-keyshortcuts", "/ Control+K Meta+K");
    var field = document.getElementById("jump-q");
    field.before(link.querySelector("svg").cloneNode(true));
    field.form.action = link.href;
    field.setAttribute("hx-get", link.getAttribute("href"));
    document.querySelector("#keys > div").setAttribute("hx-get", link.dataset.keys);
  }

  /* The palette: the field keeps the focus, and says which of what was found is meant. */
  var jumpNow = false;
  function jump() {
    var dialog = openDialog("jump"), field = document.getElementById("jump-q");
    if (!dialog) return;
    jumpNow = false;
    field.focus(); field.select();
    field.dispatchEvent(new Event("open"));
  }
  function options() { return all("#jump-list [role=option]"); }
  function choose(option) {
    options().forEach(function (other) { other.setAttribute("aria-selected", other === option); });
    var field = document.getElementById("jump-q");
    field.setAttribute("aria-expanded", !!option);
    if (!option) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }
  function takeOption() {
    var asked = document.querySelector("#jump-list [data-asked]"), field = document.getElementById("jump-q");
    /* What was just typed is still being looked for: go on with the answer. */
    jumpNow = !asked || asked.dataset.asked !== field.value;
    var option = document.querySelector("#jump-list [aria-selected=true]");
    if (!jumpNow && option) option.click();
  }
  document.addEventListener("keydown", function (event) {
    if (event.target.id !== "jump-q" || event.isComposing) return;
    var found = options(), at = found.findIndex(function (option) { return option.getAttribute("aria-selected") === "true"; });
    if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(found[(at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length]);
    else if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) takeOption();
    /* A field of this kind would only be emptied. */
    else if (event.key === "Escape") closeDialog(document.getElementById("jump"));
    else return;
    event.preventDefault();
  });
  document.addEventListener("input", function (event) { if (event.target.id === "jump-q") jumpNow = false; });
  document.addEventListener("htmx:afterSwap", function (event) {
    if (event.target.id !== "jump-list") return;
    choose(options()[0]);
    if (jumpNow) takeOption();
  });
  document.addEventListener("click", function (event) {
    if (!event.target.closest("[data-jump]") || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    jump();
  });
  /* A link to a place on this page leaves nothing open above it. */
  document.addEventListener("click", function (event) { if (event.target.closest("[role=option]")) closeDialog(document.getElementById("jump")); });

  /* The list of keys, and whether single letters are keys at all. */
  function lettersAreKeys() { try { return localStorage.getItem("keys") !== "off"; } catch (e) { return true; } }
  function showKeysChoice() {
    all("[data-keys-choice]").forEach(function (label) {
      label.hidden = false;
      label.querySelector("input").checked = lettersAreKeys();
    });
  }
  function showKeys() {
    var part = document.querySelector("#keys > div");
    if (part) part.dispatchEvent(new Event("open"));
  }
  document.addEventListener("htmx:afterSwap", function (event) {
    if (event.target.parentNode && event.target.parentNode.id === "keys") openDialog("keys");
    showKeysChoice();
  });
  document.addEventListener("change", function (event) {
    if (!event.target.matches("[data-keys-switch]")) return;
    try { localStorage.setItem("keys", event.target.checked ? "on" : "off"); } catch (e) { /* no storage */ }
    showKeysChoice();
  });

  /* Keys. A row is where its link is: to be there is to have the focus, so Enter opens it and readers hear it. */
  var ROWS = "main tbody tr, main .job:not(.cap), main .list > li, main #log > [data-level]";
  function linkOf(row) { return row.querySelector("a.name[href], h3 a[href], a.ln[href]") || row.querySelector("a[href]"); }
  function shown(element) { return element && element.getClientRects().length > 0; }
  function step(by, selector) {
    var links = all(selector).map(linkOf).filter(shown), here = document.activeElement;
    var at = links.findIndex(function (link) { return link === here || link.closest("tr,li").contains(here); });
    /* From something between the rows the way leads to what follows it, from nowhere to what is in sight. */
    if (at < 0 && by > 0 && here !== document.body) at = links.filter(function (link) { return here.compareDocumentPosition(link) & 2; }).length - 1;
    var next = at < 0 ? links.find(function (link) { return link.getBoundingClientRect().top >= 0; }) || links[0] : links[at + by];
    if (!next) return;
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
  function press(selector) {
    var control = all(selector).find(shown);
    if (control) control.click();
  }
  function focusOn(selector) {
    var control = all(selector).find(shown);
    if (!control) return;
    control.focus();
    if (control.select) control.select();
  }
  var FAILURES = "#log > [data-level=failure]";
  var KEYS = {
    "/": jump,
    "?": showKeys,
    j: function () { step(1, ROWS); },
    k: function () { step(-1, ROWS); },
    n: function () { step(1, FAILURES); },
    p: function () { step(-1, FAILURES); },
    s: function () { focusOn("main .find input"); },
    r: function () { focusOn("main [data-run]:enabled, main a[data-run]"); },
    f: function () { press("main .follow"); },
    d: function () { press("main [name=level][value=debug]"); },
    x: function () { var row = document.activeElement.closest("tr,li"), box = row && row.querySelector("[name=id]"); if (box) box.click(); }
  };
  function goTo(key) {
    var link = key === "n" ? document.querySelector("#now h2 ~ a") : document.querySelector("[data-go='" + key + "']");
    if (key === "n" && !link) location.assign(document.querySelector("[data-go=r]").href + "?status=running");
    else if (link) location.assign(link.href);
  }
  var goesOn = 0;
  function types(element) { return element.closest("input:not([type=checkbox],[type=radio],[type=button],[type=submit],[type=range]),textarea,select,[contenteditable]"); }
  document.addEventListener("keydown", function (event) {
    var there = document.getElementById("jump"), mac = /Mac|iP/.test(navigator.platform);
    if (!there || event.defaultPrevented || event.isComposing || event.altKey) return;
    if (event.key.toLowerCase() === "k" && !event.shiftKey && (mac ? event.metaKey : event.ctrlKey)) {
      event.preventDefault();
      if (there.open) closeDialog(there); else jump();
      return;
    }
    var went = goesOn > performance.now();
    if (event.ctrlKey || event.metaKey || event.key.length > 1 || types(event.target) || document.querySelector("dialog[open]") || !lettersAreKeys()) return;
    goesOn = 0;
    if (went) { if (/^[a-z]$/.test(event.key)) goTo(event.key); }
    else if (event.key === "g") goesOn = performance.now() + 1500;
    else if (Object.prototype.hasOwnProperty.call(KEYS, event.key)) KEYS[event.key]();
    else return;
    event.preventDefault();
  });

  /* The focus is not lost by a swap: what has no id is found again by where it leads, or by its place. Where nothing
     like it is left, what came in its place has it: a line that was loaded, or the words that say what was done. */
  var focused = null;
  function alike(target, element) { return all("a[href],button:enabled,input:enabled,select:enabled,summary", target).filter(function (other) { return other.tagName === element.tagName; }); }
  function lineAfter(row) {
    do row = row.nextElementSibling; while (row && !row.matches("[data-level]"));
    return row;
  }
  /* Of lines that came, some may be of a level that is not shown. */
  function firstShown(row, next) {
    while (row && !shown(row)) row = row[next];
    return row;
  }
  function heldBy(target) {
    var here = document.activeElement;
    return target && here && here !== document.body && target.contains(here) ? { after: target.matches("#log > .back") && lineAfter(target), target: target.id, before: target.previousElementSibling, parent: target.parentNode, href: here.href, at: alike(target, here).indexOf(here), element: here } : null;
  }
  /* One answer may come before another has settled: who had the focus then is still to get it. */
  document.addEventListener("htmx:beforeSwap", function (event) { focused = heldBy(event.detail.target) || (document.activeElement === document.body ? focused : null); });
  document.addEventListener("htmx:oobBeforeSwap", function (event) { focused = heldBy(event.detail.target) || focused; });
  function inPlaceOf(was) {
    /* Who goes back in a log goes on with the line above the one they came from. */
    if (was.after) return linkOf(firstShown(was.after.previousElementSibling, "previousElementSibling") || was.after);
    if (was.target) {
      var target = document.getElementById(was.target), others = target ? alike(target, was.element) : [];
      return others.find(function (other) { return was.href && other.href === was.href; }) || others[Math.min(was.at, others.length - 1)] || target;
    }
    var row = was.before ? was.before.nextElementSibling : was.parent.firstElementChild;
    if (row && row.matches(".more") && row.nextElementSibling) row = row.nextElementSibling;
    row = firstShown(row, "nextElementSibling") || row;
    return row && (linkOf(row) || row);
  }
  document.addEventListener("htmx:afterSettle", function () {
    var was = focused, next = was && document.activeElement === document.body && inPlaceOf(was);
    focused = null;
    if (!next) return;
    if (next.tabIndex < 0) next.tabIndex = -1;
    next.focus({ preventScroll: true });
  });

  document.addEventListener("DOMContentLoaded", function () {
    makeDialogs();
    showTimes(); tick(); findLine(); showCopy(); showSlides(); showCurrentTab(); showFolds(); showAsk(); showKeysChoice(); makeToasts(); sayNews();
    setInterval(tick, 1000);
    setInterval(showTimes, 15000);
    all("[data-own-zone]").forEach(function (input) { input.value = Intl.DateTimeFormat().resolvedOptions().timeZone || input.value; });
    all("[data-focus]").forEach(function (element) { element.focus(); });
  });
})();
