(function (MathJax) {
/* the library's script */
(function finish() {
  var box = document.getElementById("quiz-box");
  if (!box || !box.querySelector(".Quiz")) { setTimeout(finish, 100); return; }
  box.querySelector("p.without-script").remove();
  box.addEventListener("keydown", function (event) {
    if (/^(Arrow| $)/.test(event.key)) { event.stopPropagation(); }
  });
  box.querySelectorAll(".Feedback").forEach(function (one) { one.setAttribute("role", "status"); });
})();
})(undefined);
