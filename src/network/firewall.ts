import { DEFAULT_ROUTE, type EgressPolicy } from "../model/egress-policy.ts";
import { AGENT_PORT, GUEST_NETWORK, SERVICE_PORTS } from "../model/guest.ts";
import { unreachable } from "../util/assert.ts";
import { formatBlock, serviceAddress, SLOT_TAP, SLOT_UPLINK, type SlotBlock } from "./slot.ts";

/** Never reachable from a guest, whatever its connector opens: this network, the host, link-local, multicast, reserved. */
const NEVER = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/30", "224.0.0.0/4", "240.0.0.0/4"];

/** What is no public address besides. */
const PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15"];

const REJECT = "reject with icmp admin-prohibited";

/**
 * Rules inside one slot's namespace. In: only the agent's port. Out: what `egressRules` say, at first public TCP and DNS
 * through the host's resolver; refused at once rather than left to time out. Metadata is there whatever may go out, one
 * hop away: its answers do not get past the guest into networks that the guest makes for itself. No IPv6: the table for
 * it only drops.
 */
export function slotRules(block: SlotBlock, resolver: string): string {
  const service = serviceAddress(block);
  const { metadataAddress, apiAddress } = GUEST_NETWORK;
  return `table ip catnap {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "${SLOT_UPLINK}" tcp dport ${AGENT_PORT} dnat to ${GUEST_NETWORK.guestAddress}
    iifname "${SLOT_TAP}" ip daddr ${GUEST_NETWORK.dnsAddress} udp dport 53 dnat to ${resolver}
    iifname "${SLOT_TAP}" ip daddr ${GUEST_NETWORK.dnsAddress} tcp dport 53 dnat to ${resolver}
    iifname "${SLOT_TAP}" ip daddr ${metadataAddress} tcp dport 80 dnat to ${service}:${SERVICE_PORTS.metadata}
    iifname "${SLOT_TAP}" ip daddr ${apiAddress} tcp dport 80 dnat to ${service}:${SERVICE_PORTS.api}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname { "${SLOT_UPLINK}", "${SLOT_TAP}" } masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    jump guard
    ct state established,related accept
    iifname "${SLOT_UPLINK}" oifname "${SLOT_TAP}" tcp dport ${AGENT_PORT} ct status dnat accept
    iifname "${SLOT_TAP}" ip daddr ${service} tcp dport ${SERVICE_PORTS.metadata} ct status dnat accept
    iifname "${SLOT_TAP}" oifname "${SLOT_UPLINK}" jump egress
  }
  chain guard {
  }
  chain egress {
${chainBody(egressChain({ kind: "internet" }, block, resolver))}
  }
  chain hops {
    type filter hook postrouting priority filter; policy accept;
    oifname "${SLOT_TAP}" ct original ip daddr ${metadataAddress} ip ttl set 1
  }
  chain input {
    type filter hook input priority filter; policy drop;
    ct state established,related accept
    iifname "lo" accept
    icmp type echo-request accept
  }
}
table ip6 catnap {
  chain forward {
    type filter hook forward priority filter; policy drop;
  }
  chain input {
    type filter hook input priority filter; policy drop;
  }
}
`;
}

/**
 * Puts another egress policy into a slot, in one transaction. A closed one also ends what is open: its connections are
 * answered with a reset, and nothing more of them reaches the guest.
 */
export function egressRules(policy: EgressPolicy, block: SlotBlock, resolver: string): string {
  return `flush chain ip catnap guard
flush chain ip catnap egress
table ip catnap {
  chain guard {
${chainBody(guardChain(policy, block))}
  }
  chain egress {
${chainBody(egressChain(policy, block, resolver))}
  }
}
`;
}

function guardChain(policy: EgressPolicy, block: SlotBlock): string[] {
  if (policy.kind !== "none") return [];
  const service = serviceAddress(block);
  return [
    `iifname "${SLOT_TAP}" ip daddr ${service} tcp dport ${SERVICE_PORTS.metadata} ct status dnat return`,
    `iifname "${SLOT_TAP}" ct direction original meta l4proto tcp reject with tcp reset`,
    `iifname "${SLOT_TAP}" ct direction original ${REJECT}`,
    `oifname "${SLOT_TAP}" ct direction reply ip saddr != ${service} drop`,
  ];
}

function egressChain(policy: EgressPolicy, block: SlotBlock, resolver: string): string[] {
  const services = [
    `ip daddr ${resolver} ct status dnat th dport 53 accept`,
    `ip daddr ${serviceAddress(block)} tcp dport ${SERVICE_PORTS.api} ct status dnat accept`,
  ];
  const never = [`ip daddr { ${NEVER.join(", ")} } ${REJECT}`, `ip daddr ${formatBlock(block)} ${REJECT}`];
  const noPrivate = `ip daddr { ${PRIVATE.join(", ")} } ${REJECT}`;
  const echo = "icmp type echo-request accept";
  switch (policy.kind) {
    case "internet":
      return [...services, ...never, noPrivate, "meta l4proto tcp accept", echo, REJECT];
    case "none":
      return [REJECT];
    case "routes": {
      // a rule each: networks that overlap cannot share a set
      const own = policy.networks.filter((network) => network !== DEFAULT_ROUTE);
      const routes = own.flatMap((network) => [
        `ip daddr ${network} meta l4proto { tcp, udp } accept`,
        `ip daddr ${network} ${echo}`,
      ]);
      const isPublicOpen = policy.networks.includes(DEFAULT_ROUTE);
      const world = isPublicOpen ? [noPrivate, "meta l4proto { tcp, udp } accept", echo] : [];
      return [...services, ...never, ...routes, ...world, REJECT];
    }
    default:
      return unreachable(policy);
  }
}

function chainBody(rules: readonly string[]): string {
  return rules.map((rule) => `    ${rule}`).join("\n");
}

/**
 * Rules of the host for one home: slots reach the world by masquerade, never each other, and of the host only the
 * service address, which nobody else reaches; only root reaches slots, because the agent behind them trusts whoever comes from the host side.
 */
export function hostRules(block: SlotBlock): string {
  const table = hostTable(block);
  const interfaces = `"cn${block.tag}-*"`;
  const service = serviceAddress(block);
  const { metadata, api } = SERVICE_PORTS;
  return `add table inet ${table}
flush table inet ${table}
table inet ${table} {
  chain input {
    type filter hook input priority filter; policy accept;
    iifname ${interfaces} ct state established,related accept
    iifname ${interfaces} ip daddr ${service} tcp dport { ${metadata}, ${api} } accept
    iifname ${interfaces} drop
    iifname != "lo" ip daddr ${service} drop
  }
  chain output {
    type filter hook output priority filter; policy accept;
    ip daddr ${formatBlock(block)} meta skuid != 0 reject with icmp admin-prohibited
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    oifname ${interfaces} ct state established,related accept
    oifname ${interfaces} drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${formatBlock(block)} oifname != ${interfaces} masquerade
  }
}
`;
}

export function hostTable(block: SlotBlock): string {
  return `catnap_${block.tag}`;
}
