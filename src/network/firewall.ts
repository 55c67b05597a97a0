import { AGENT_PORT, GUEST_NETWORK, SERVICE_PORTS } from "../model/guest.ts";
import { formatBlock, serviceAddress, SLOT_TAP, SLOT_UPLINK, type SlotBlock } from "./slot.ts";

/** Never reachable from a guest: this network, private ranges, other slots, link-local, multicast, reserved. */
const UNREACHABLE = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "224.0.0.0/4",
  "240.0.0.0/4",
];

/**
 * Rules inside one slot's namespace. In: only the agent's port. Out: public TCP and DNS through the host's resolver,
 * no other UDP (contract 8.1); refused at once rather than left to time out. Metadata is there whatever may go out, one
 * hop away: its answers do not get past the guest into networks that the guest makes for itself.
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
    ct state established,related accept
    iifname "${SLOT_UPLINK}" oifname "${SLOT_TAP}" tcp dport ${AGENT_PORT} ct status dnat accept
    iifname "${SLOT_TAP}" ip daddr ${service} tcp dport ${SERVICE_PORTS.metadata} ct status dnat accept
    iifname "${SLOT_TAP}" oifname "${SLOT_UPLINK}" jump egress
  }
  chain egress {
    ip daddr ${resolver} ct status dnat th dport 53 accept
    ip daddr ${service} tcp dport ${SERVICE_PORTS.api} ct status dnat accept
    ip daddr { ${UNREACHABLE.join(", ")} } reject with icmp admin-prohibited
    meta l4proto tcp accept
    icmp type echo-request accept
    reject with icmp admin-prohibited
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
`;
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
