#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "log.h"

#define BATCH 64

static int epoll_fd = -1;

struct garbage {
	void *memory;
	struct garbage *next;
};

static struct garbage *garbage;

void loop_init(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		die("epoll_create1");
}

void watch_set(struct watch *watch, uint32_t interest)
{
	if (watch->registered && watch->interest == interest)
		return;
	struct epoll_event event = {.events = interest, .data.ptr = watch};
	if (epoll_ctl(epoll_fd, watch->registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, watch->fd, &event) < 0)
		die("epoll_ctl");
	watch->registered = true;
	watch->interest = interest;
}

void watch_pause(struct watch *watch)
{
	if (!watch->registered)
		return;
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->registered = false;
}

void watch_close(struct watch *watch)
{
	if (watch->fd < 0)
		return;
	watch_pause(watch);
	close(watch->fd);
	watch->fd = -1;
}

void loop_free_later(void *memory)
{
	struct garbage *item = malloc(sizeof(*item));
	if (item == NULL)
		die("malloc");
	*item = (struct garbage){memory, garbage};
	garbage = item;
}

static void collect_garbage(void)
{
	while (garbage != NULL) {
		struct garbage *item = garbage;
		garbage = item->next;
		free(item->memory);
		free(item);
	}
}

void loop_run(void)
{
	struct epoll_event events[BATCH];
	for (;;) {
		int count = epoll_wait(epoll_fd, events, BATCH, -1);
		if (count < 0 && errno != EINTR)
			die("epoll_wait");
		for (int i = 0; i < count; i++) {
			struct watch *watch = events[i].data.ptr;
			/* An earlier event of this batch may have closed or paused it. */
			if (watch->registered)
				watch->handler(watch, events[i].events);
		}
		collect_garbage();
	}
}
