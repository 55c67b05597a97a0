/* Numbers of the guest contract; the host's side of them is src/model/guest.ts, the words are in guest/PROTOCOL.md. */
#ifndef CATNAP_PROTOCOL_H
#define CATNAP_PROTOCOL_H

/* 2: hello and sessions. 3: a settled app is frozen; rehearse. 4: identify. */
#define AGENT_VERSION 4
#define AGENT_PORT 1018
#define GUEST_ADDRESS "172.16.0.2"
#define GUEST_NETMASK "255.255.255.252"
#define GATEWAY_ADDRESS "172.16.0.1"
#define GATEWAY_MAC {0x02, 0xca, 0x7a, 0x00, 0x00, 0x01}
#define DNS_ADDRESS "169.254.169.253"

/* Longest line either way, line feed included. */
#define MAX_LINE_BYTES 512
#define MAX_START_CONFIG_BYTES (512 * 1024)
#define MAX_LISTENING_PORTS 64
#define MIN_ENTROPY_BYTES 32
#define MAX_ENTROPY_BYTES 128
#define MAX_GRACE_MS 3600000
#define MAX_OUTPUT_FRAME_BYTES (64 * 1024)

#define OUTPUT_RING_BYTES (1024 * 1024)
#define MAX_RELAYS 1024
#define MAX_CONTROL_CONNECTIONS 64

#define MAX_SESSIONS 32
#define MAX_SESSION_CONFIG_BYTES (128 * 1024)
/* Most bytes in one frame of a session, either way. */
#define MAX_SESSION_FRAME_BYTES (32 * 1024)

#endif
