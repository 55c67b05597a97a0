import type { NetworkAttachment } from "../engine/engine.ts";
import type { GuestAddress } from "../guest-link/guest-link.ts";
import { AGENT_PORT, GUEST_NETWORK } from "../model/guest.ts";

/** Names and addresses of one network slot; all follow from the home's block and the slot's number. */
export interface Slot {
  readonly number: number;
  readonly namespace: string;
  /** Host side of the veth pair. */
  readonly hostInterface: string;
  /** Every second address of the block; once the others were the host's ends. */
  readonly slotAddress: string;
}

/** The IPv4 block and the name tag of one home. */
export interface SlotBlock {
  /** Four hex digits from the home's path: keeps two homes on one host apart. */
  readonly tag: string;
  /** First address of the block as an unsigned integer. */
  readonly base: number;
  readonly prefixLength: number;
}

/** Interface names inside every slot's namespace. */
export const SLOT_UPLINK = "uplink";
export const SLOT_TAP = "tap0";

/** The last pair of addresses is not a slot's: the host serves guests on the last one. */
export function slotCount(block: SlotBlock): number {
  return 2 ** (31 - block.prefixLength) - 1;
}

/** The one address of the host that guests reach, for metadata and the API. */
export function serviceAddress(block: SlotBlock): string {
  return formatAddress(block.base + 2 ** (32 - block.prefixLength) - 1);
}

/** The slot that calls from this address; undefined for any other caller. */
export function slotNumberOf(block: SlotBlock, address: string): number | undefined {
  const offset = (parseAddress(address) ?? 0) - block.base;
  const number = (offset - 1) / 2;
  return Number.isInteger(number) && number >= 0 && number < slotCount(block) ? number : undefined;
}

export function slotPrefix(block: SlotBlock): string {
  return `catnap-${block.tag}-`;
}

export function slotAt(block: SlotBlock, number: number): Slot {
  return {
    number,
    namespace: `${slotPrefix(block)}${number}`,
    hostInterface: `cn${block.tag}-${number}`,
    slotAddress: formatAddress(block.base + number * 2 + 1),
  };
}

export function attachmentOf(slot: Slot): NetworkAttachment {
  return { namespace: slot.namespace, tap: SLOT_TAP, mac: GUEST_NETWORK.guestMac, userId: userIdOf(slot) };
}

/** Beyond what distributions give to people, services and containers; from the address, which is the slot's alone. */
const FIRST_USER_ID = 1_900_000_000;
const ADDRESS_BITS = 0xff_ffff;

function userIdOf(slot: Slot): number {
  return FIRST_USER_ID + ((parseAddress(slot.slotAddress) ?? 0) & ADDRESS_BITS);
}

export function guestAddressOf(slot: Slot): GuestAddress {
  return { host: slot.slotAddress, port: AGENT_PORT };
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

export function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

export function formatBlock(block: SlotBlock): string {
  return `${formatAddress(block.base)}/${block.prefixLength}`;
}
