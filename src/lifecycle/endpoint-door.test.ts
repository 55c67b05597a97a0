import { expect, test, vi } from "vitest";
import { EndpointDoor } from "./endpoint-door.ts";

test("who is inside when the door closes may finish, and nobody else comes in", async () => {
  const door = new EndpointDoor();
  expect(door.enter()).toBeUndefined();
  door.open();
  const [one, two] = [door.enter(), door.enter()];
  const onShut = vi.fn();
  door.onShut(onShut);
  door.close();
  expect(door.enter()).toBeUndefined();
  let isEmpty = false;
  const drained = door.drained(60_000).then(() => (isEmpty = true));
  one?.();
  one?.();
  await Promise.resolve();
  expect([isEmpty, onShut.mock.calls.length]).toEqual([false, 0]);
  two?.();
  await drained;
  door.shut();
  expect(onShut).toHaveBeenCalledTimes(1);
});

test("who takes too long is not waited for, and an empty house is shut at once", async () => {
  const door = new EndpointDoor();
  door.open();
  const leave = door.enter();
  door.close();
  await door.drained(10);
  door.open();
  leave?.();
  door.close();
  await door.drained(60_000);
});
