/* The one event loop: level-triggered epoll over objects that embed a `struct watch`. */
#ifndef CATNAP_LOOP_H
#define CATNAP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct watch;
typedef void (*watch_handler)(struct watch *watch, uint32_t events);

struct watch {
	int fd;
	uint32_t interest;
	bool registered;
	watch_handler handler;
};

void loop_init(void);
void loop_run(void) __attribute__((noreturn));

/* Sets what to wait for; with interest 0 only errors and hang-ups are reported. */
void watch_set(struct watch *watch, uint32_t interest);
/* Stops waiting; the descriptor stays open. */
void watch_pause(struct watch *watch);
/* Stops waiting and closes the descriptor. */
void watch_close(struct watch *watch);

/* Frees `memory` when no event of the present batch can still point into it. */
void loop_free_later(void *memory);

#endif
