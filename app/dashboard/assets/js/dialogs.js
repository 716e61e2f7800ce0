// Native dialogs: data-dialog="id" opens one, data-close closes the one around it.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-dialog]");
  if (opener) {
    document.getElementById(opener.dataset.dialog)?.showModal();
    return;
  }
  const closer = event.target.closest("[data-close]");
  if (closer) {
    closer.closest("dialog")?.close();
    return;
  }
  // A click on the backdrop arrives at the dialog itself.
  if (event.target instanceof HTMLDialogElement && event.target.hasAttribute("data-light")) {
    event.target.close();
  }
});
