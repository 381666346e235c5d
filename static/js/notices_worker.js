// A click on what the browser told brings the tab that shows the thread, or opens it.
addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL(event.notification.data, location.origin).href;
  event.waitUntil(clients.matchAll({ type: "window", includeUncontrolled: true }).then((tabs) => {
    const tab = tabs.find((each) => each.url.split(/[?#]/)[0] === url);
    return tab ? tab.focus() : clients.openWindow(url);
  }));
});
