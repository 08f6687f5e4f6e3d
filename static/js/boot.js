// Runs before the first paint: styles that need scripts (tabs, full-height panels) hang on `.js`.
document.documentElement.classList.add("js");
document.documentElement.dataset.palette = localStorage.getItem("oms.palette") ?? "";
