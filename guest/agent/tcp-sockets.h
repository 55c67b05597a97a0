/* The kernel's table of TCP sockets, through sock_diag. */
#ifndef CATNAP_TCP_SOCKETS_H
#define CATNAP_TCP_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Resets every connection with a peer outside of this VM, except the agent's own one from `spared_port` of the
 * gateway. Listeners stay. False with errno when the kernel does not answer.
 */
bool tcp_reset_outside(uint16_t spared_port);

/* Keeps those of `ports` that something listens on at a loopback or the any address; returns how many. */
size_t tcp_keep_listening(uint16_t *ports, size_t count);

#endif
