const show = (id, text) => (document.getElementById(id).textContent = text);

new EventSource("events").addEventListener("message", ({ data }) => show("events", data.split(" ")[1]));

const socket = new WebSocket(`wss://${location.host}/ws`, "chat");
socket.binaryType = "arraybuffer";
socket.addEventListener("open", () => {
  socket.send(`over ${socket.protocol}`);
  socket.send(Uint8Array.of(0, 1, 254, 255));
});
socket.addEventListener("message", ({ data }) =>
  typeof data === "string" ? show("socket", data) : show("binary", new Uint8Array(data).join(" ")),
);
socket.addEventListener("close", ({ code }) => show("socket", `closed ${code}`));

const answer = await fetch("upload", { method: "POST", body: new Uint8Array(1_000_000) });
const again = await fetch("upload", { method: "POST", body: "" });
show("upload", JSON.stringify([(await answer.json()).size, (await again.json()).cookies]));
