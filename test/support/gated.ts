import type { AttachedMachine, Machine } from "../../src/engine/engine.ts";
import { MemoryMachine } from "./memory-engine.ts";

/** What every step to the outside passes before and after it. */
export type Gate = () => Promise<void>;

export const OPEN_GATE: Gate = async () => {};

/** The same object behind a gate, and the machines it gives out too. */
export function gated<T extends object>(target: T, gate: Gate): T {
  if (gate === OPEN_GATE) return target;
  return new Proxy(target, {
    get(_, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function" || name === "adopt" || name === "events") return bound(member, target);
      return async (...given: unknown[]) => {
        await gate();
        const result: unknown = await Reflect.apply(member, target, given);
        await gate();
        return isMachine(result) ? gated(result, gate) : isAttached(result) ? attached(result, gate) : result;
      };
    },
  });
}

function bound(member: unknown, target: object): unknown {
  return typeof member === "function" ? (member.bind(target) as unknown) : member;
}

const attached = (found: AttachedMachine, gate: Gate) => ({ ...found, machine: gated(found.machine, gate) });
const isMachine = (value: unknown): value is Machine => value instanceof MemoryMachine;
const isAttached = (value: unknown): value is AttachedMachine =>
  typeof value === "object" && value !== null && "machine" in value;
