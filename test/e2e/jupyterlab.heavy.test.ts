import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { AwsCli } from "../support/aws.ts";
import { useBrowser } from "../support/browser.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { CATNAP, mustRun } from "../support/project.ts";
import { buildApp, microvmBecomes } from "../support/walkthrough.ts";

const REGION = "us-east-1";
/** Everything is emulated where there is no hardware virtualization: a kernel takes most of a minute to start. */
const PATIENCE = { timeout: 120_000 };

async function useJupyter() {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const { imageArn } = await buildApp(aws, { app: "jupyterlab", imageName: "jupyterlab", region: REGION });
  const idle = '{"maxIdleDurationSeconds":900,"suspendedDurationSeconds":600,"autoResumeEnabled":true}';
  const run = ["run-microvm", "--image-identifier", imageArn, "--idle-policy", idle];
  const answer = await aws.run("lambda-microvms", ...run, "--region", REGION);
  const { microvmId, endpoint } = JSON.parse(answer) as Record<"microvmId" | "endpoint", string>;
  await microvmBecomes(aws, microvmId, "RUNNING");
  const link = (await mustRun(CATNAP, ["open", microvmId], { env: { CATNAP_HOME: server.home } })).trim();
  const rootFile = join(server.home, "tls/ca.pem");
  const browser = await useBrowser({ rootFile, port: Number(endpoint.split(":")[1]) });
  const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
  return { aws, microvmId, link, page };
}

async function runCell(page: Page, code: string): Promise<void> {
  await page.locator(".jp-Notebook .jp-CodeCell .cm-content").last().click(PATIENCE);
  await page.keyboard.insertText(code);
  await page.keyboard.press("Shift+Enter");
}

async function output(page: Page, text: string): Promise<void> {
  await page.locator(".jp-OutputArea-output", { hasText: text }).waitFor(PATIENCE);
}

test("JupyterLab works in Chromium: assets, a notebook's kernel and a terminal over WebSockets, through a sleep", async () => {
  const { aws, microvmId, link, page } = await useJupyter();
  const failures: string[] = [];
  page.on("response", (response) => {
    if (response.status() >= 400) failures.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(link, PATIENCE);
  const card = page.locator(".jp-LauncherCard");
  await card.filter({ hasText: "Python 3" }).first().click(PATIENCE);
  await page.getByText("Python 3 (ipykernel) | Idle").waitFor(PATIENCE); // a cell that is run before is lost
  await runCell(page, "x = 6 * 7; print('the answer is', x)");
  await output(page, "the answer is 42");

  // The kernel's memory outlives a sleep; the page's own requests wake it.
  await aws.run("lambda-microvms", "suspend-microvm", "--microvm-identifier", microvmId, "--region", REGION);
  await microvmBecomes(aws, microvmId, "RUNNING");
  await runCell(page, "print('still', x + 1)");
  await output(page, "still 43");

  await page.locator(".lm-TabBar-addButton:visible").first().click(PATIENCE);
  await card.filter({ hasText: "Terminal" }).first().click(PATIENCE);
  await page.locator(".jp-Terminal .xterm-screen").click(PATIENCE);
  await page.keyboard.type("echo $((123 * 457)) > /work/typed\n");
  await expect
    .poll(() => page.evaluate("fetch('/files/typed').then((answer) => answer.ok ? answer.text() : '')"), PATIENCE)
    .toBe("56211\n");
  expect(failures.filter((line) => !line.includes("/files/typed"))).toEqual([]);
});
