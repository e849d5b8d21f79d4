"""The browsers that can be driven, for measures and tests."""

#: The quickest first: Chromium without windows takes a third of the processor's time.
BROWSERS = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
