import { onTestFinished, vi } from "vitest";
import { useSupervisor } from "./use-supervisor.ts";

/** Time passes only when the test says so, in small steps in which everything else has its turn. */
export async function useTime(setting: Parameters<typeof useSupervisor>[0] = {}) {
  const world = await useSupervisor(setting);
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const pass = async (seconds: number) => {
    await vi.advanceTimersByTimeAsync(seconds * 1000);
    await settle();
  };
  return { ...world, pass };
}

/** Real I/O started by a timer ends soon, in real time. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    let turns = 0;
    channel.port1.on("message", () => {
      if (turns++ < 300) return channel.port2.postMessage(undefined);
      channel.port1.close();
      resolve();
    });
    channel.port2.postMessage(undefined);
  });
}
