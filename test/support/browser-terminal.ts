import { join } from "node:path";
import type { Page } from "playwright-core";
import { eventually } from "./eventually.ts";
import { PROJECT } from "./project.ts";

const XTERM = join(PROJECT, "node_modules/@xterm/xterm");

/** In the page: xterm.js on a WebSocket as any web terminal has it, and what became of the connection. */
const CONNECT = `({ url, protocols }) => {
  const terminal = new Terminal({ cols: 80, rows: 24 });
  terminal.open(document.getElementById("terminal"));
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  const state = { terminal, texts: [], protocol: "", closed: "" };
  socket.addEventListener("open", () => (state.protocol = socket.protocol));
  socket.addEventListener("message", ({ data }) =>
    typeof data === "string" ? state.texts.push(JSON.parse(data)) : terminal.write(new Uint8Array(data)));
  socket.addEventListener("close", ({ code, reason }) => (state.closed = code + " " + reason));
  terminal.onData((keys) => socket.send(new TextEncoder().encode(keys)));
  terminal.onResize(({ cols, rows }) => socket.send(JSON.stringify({ type: "resize", cols, rows })));
  globalThis.state = state;
}`;

const SCREEN = `(() => {
  const { active } = state.terminal.buffer;
  return Array.from({ length: active.length }, (_, i) => active.getLine(i).translateToString(true)).join("\\n").trimEnd();
})()`;

/** xterm.js in a page, connected to a shell. */
export class BrowserTerminal {
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  static async open(page: Page, url: string, protocols: readonly string[]): Promise<BrowserTerminal> {
    await page.setContent('<div id="terminal"></div>');
    await page.addStyleTag({ path: join(XTERM, "css/xterm.css") });
    await page.addScriptTag({ path: join(XTERM, "lib/xterm.js") });
    await page.evaluate(`(${CONNECT})(${JSON.stringify({ url, protocols })})`);
    return new BrowserTerminal(page);
  }

  /** Keys as a person presses them. */
  async type(keys: string): Promise<void> {
    await this.#page.locator("#terminal textarea").focus();
    await this.#page.keyboard.type(keys);
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#page.evaluate(`state.terminal.resize(${columns}, ${rows})`);
  }

  async shows(wanted: RegExp): Promise<void> {
    await eventually<true>(`the terminal shows ${wanted}`, 60_000, async () => {
      const screen = await this.get<string>(SCREEN);
      return wanted.test(screen) ? { done: true } : { saw: JSON.stringify(screen) };
    });
  }

  async closed(): Promise<string> {
    return await eventually<string>("the WebSocket is closed", 60_000, async () => {
      const closed = await this.get<string>("state.closed");
      return closed === "" ? { saw: "open" } : { done: closed };
    });
  }

  /** The value of an expression in the page, whose \`state\` has terminal, texts and protocol. */
  get<T>(expression: string): Promise<T> {
    return this.#page.evaluate<T>(expression);
  }
}
