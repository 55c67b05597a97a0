/* Connections from the host: the first line says what one is for. */
#ifndef CATNAP_CONTROL_H
#define CATNAP_CONTROL_H

/* Takes over a fresh connection; `peer_port` is the host's end of it. */
void control_open(int fd, unsigned short peer_port);
/* The app's state changed: answers those who wait for its end. */
void control_app_changed(void);

#endif
