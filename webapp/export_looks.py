"""How an exported result looks, and its search: the file stands alone, so it carries them, named by hash in its own policy."""

import base64
import hashlib

from store.reports.files import STYLE as OF_REPORTS

STYLE = (
    OF_REPORTS
    + ":root{color-scheme:light dark}body{max-width:76rem;overflow-wrap:anywhere}h1{margin:0 0 4px}"
    "h2{margin:36px 0 8px;font-size:18px}dl.facts{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:4px 20px;margin:12px 0}"
    ".facts dt{color:#5b6570}.facts dd{margin:0}code,.mono{font-family:ui-monospace,monospace;font-size:12px}"
    ".pill{display:inline-block;padding:2px 10px;border-radius:99px;background:#eceff2;font-weight:600}"
    ".pill.is-bad{background:#fbe6e4;color:#8f1d16}.pill.is-ok{background:#e0f3e8;color:#125c36}.pill.is-warn{background:#fdf0d8;color:#7a4500}"
    "pre{white-space:pre-wrap;margin:0}pre.code{border-radius:8px}.scroll{overflow-x:auto}"
    "#find{display:flex;gap:12px;align-items:center;position:sticky;top:0;z-index:1;padding:8px 0;background:#fff}"
    "#find input{flex:1;font:inherit;padding:6px 10px;border:1px solid #8a949e;border-radius:6px;background:inherit;color:inherit}"
    ".log{border:1px solid #d5d9dd;border-radius:8px;overflow:hidden}.log h3{margin:0;padding:8px 12px;font-size:13px;background:#f3f5f7}"
    ".e{display:grid;grid-template-columns:4.5rem 7rem 5rem minmax(0,1fr) auto;gap:12px;padding:3px 12px;"
    "content-visibility:auto;contain-intrinsic-size:auto 26px}.e[hidden]{display:none}.e:target{background:#fff3bf}.e>:is(a,time,b,span){font-size:12px;"
    "line-height:21px}.e>a{text-align:right;color:#5b6570}.e>time{color:#5b6570}.e>b{font-weight:500}.e p{margin:0;white-space:pre-wrap}"
    ".e pre{font:12px/1.6 ui-monospace,monospace}.e.is-bad>b{color:#b3261e}.e.is-warn>b{color:#7a4500}.e.is-ok>b{color:#125c36}"
    ".sgr-bold{font-weight:600}.sgr-underline{text-decoration:underline}"
    "@media(max-width:600px){.e{grid-template-columns:auto auto 1fr;gap:0 12px}.e>:is(div,span){grid-column:1/-1}"
    "dl.facts{grid-template-columns:1fr;gap:0}.facts dd{margin-bottom:8px}}"
    "@media screen and (prefers-color-scheme:dark){body,#find{background:#14171a;color:#e3e7ea}a{color:#8ab8ff}"
    "th,td,figure,.log{border-color:#343a40}figcaption,.log h3,pre.code,.pill{background:#1d2226}"
    ".n,.dim,.facts dt,.figs dt,.e>a,.e>time{color:#a0aab4}.pill.is-bad{background:#4a1b18;color:#ffb4ab}.pill.is-ok{background:#12402a;color:#8fe0b4}"
    ".pill.is-warn{background:#472f08;color:#ffd08a}.e.is-bad>b,.is-bad.co,.tk-del{color:#ff9d93}.e.is-warn>b,.is-warn.co,.tk-m{color:#f3bb64}"
    ".e.is-ok>b,.is-ok.co,.tk-s,.tk-ins{color:#76d5a0}.is-run.co,.tk-f,.tk-n{color:#8ab8ff}.is-wait.co,.tk-c,.tk-ln{color:#a0aab4}.tk-k{color:#e0a3e8}"
    ".e:target,.tk-hl{background:#473d12}svg text{fill:#a0aab4}}"
    "@media print{#find{display:none}.e{content-visibility:visible;break-inside:avoid}}"
)

SCRIPT = """"use strict";
(() => {
  const place = document.getElementById("find"), lines = [...document.querySelectorAll(".e")];
  const input = document.createElement("input"), said = document.createElement("span");
  input.type = "search";
  input.placeholder = "Search this log";
  input.setAttribute("aria-label", "Search this log");
  said.className = "dim";
  said.setAttribute("role", "status");
  place.append(input, said);
  let wait = 0;
  const search = () => {
    const wanted = input.value.trim().toLowerCase();
    let found = 0;
    for (const line of lines) {
      const fits = line.textContent.toLowerCase().includes(wanted);
      if (line.hidden === fits) line.hidden = !fits;
      found += fits;
    }
    said.textContent = wanted ? `${found.toLocaleString("en")} of ${lines.length.toLocaleString("en")} lines` : "";
  };
  input.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(search, 150); });
})();
"""


def _named(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


#: Nothing is loaded, sent or run but what stands here.
POLICY = (
    f"default-src 'none'; style-src {_named(STYLE)}; script-src {_named(SCRIPT)}; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
