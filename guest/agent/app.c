#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"

#define READ_BYTES (64 * 1024)

struct output_pipe {
	struct watch watch;
	enum output_stream stream;
};

static struct app_status status;
static struct output_ring ring;
static struct output_pipe pipes[2];
static struct watch stop_timer;
static int stop_signal = SIGTERM;
static app_listener listener;
/* What the app was started with, for the sessions beside it; its strings live in the body. */
static struct start_config started_with;
static char *started_with_body;

/* Moves what a pipe holds into the ring; false at its end. */
static bool drain_once(struct output_pipe *pipe)
{
	static uint8_t buffer[READ_BYTES];
	ssize_t got = read(pipe->watch.fd, buffer, sizeof(buffer));
	if (got < 0)
		return false;
	if (got == 0) {
		watch_close(&pipe->watch);
		return false;
	}
	output_ring_write(&ring, pipe->stream, buffer, (size_t)got);
	return true;
}

static void on_output(struct watch *watch, uint32_t events)
{
	(void)events;
	drain_once((struct output_pipe *)watch);
	listener();
}

static void set_exited(int exit_code)
{
	status = (struct app_status){.state = APP_EXITED, .exit_code = exit_code};
	watch_close(&stop_timer);
	log_line("app exited with code %d", exit_code);
}

/* Every process of the container is gone when its first one can be reaped, so the pipes hold all there will be. */
static void app_ended(int exit_code)
{
	for (size_t i = 0; i < 2; i++) {
		while (pipes[i].watch.fd >= 0 && drain_once(&pipes[i]))
			;
		watch_close(&pipes[i].watch);
	}
	set_exited(exit_code);
	listener();
}

bool app_child_ended(pid_t pid, int exit_code)
{
	if (status.state != APP_RUNNING || pid != status.pid)
		return false;
	app_ended(exit_code);
	return true;
}

void app_init(app_listener on_change)
{
	listener = on_change;
	stop_timer.fd = pipes[0].watch.fd = pipes[1].watch.fd = -1;
}

struct app_status app_status(void)
{
	return status;
}

const struct output_ring *app_output(void)
{
	return &ring;
}

/* Returns the writing end, or -1. */
static int open_pipe(size_t index, enum output_stream stream)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	/* Only the agent's end: the app expects ordinary blocking streams. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	pipes[index] = (struct output_pipe){.watch = {.fd = ends[0], .handler = on_output}, .stream = stream};
	return ends[1];
}

static void start_failed(const struct start_failure *failure)
{
	char line[sizeof(failure->message) + 1];
	int length = snprintf(line, sizeof(line), "%s\n", failure->message);
	output_ring_write(&ring, OUTPUT_STDERR, (const uint8_t *)line, (size_t)length);
	for (size_t i = 0; i < 2; i++)
		watch_close(&pipes[i].watch);
	set_exited(failure->exit_code);
}

const struct start_config *app_config(void)
{
	return status.state == APP_RUNNING ? &started_with : NULL;
}

bool app_start(struct start_config *config, char **body, struct start_failure *failure)
{
	int out = open_pipe(0, OUTPUT_STDOUT);
	int err = open_pipe(1, OUTPUT_STDERR);
	stop_signal = config->stop_signal;
	pid_t pid = container_start(config, out, err, failure);
	close(out);
	close(err);
	if (pid < 0) {
		start_failed(failure);
	} else {
		status = (struct app_status){.state = APP_RUNNING, .pid = pid};
		started_with = *config;
		started_with_body = *body;
		*config = (struct start_config){0};
		*body = NULL;
		log_line("app started");
		watch_set(&pipes[0].watch, EPOLLIN);
		watch_set(&pipes[1].watch, EPOLLIN);
	}
	listener();
	return pid >= 0;
}

static void on_grace_over(struct watch *watch, uint32_t events)
{
	(void)events;
	watch_close(watch);
	if (status.state == APP_RUNNING)
		kill(status.pid, SIGKILL);
}

void app_stop(uint32_t grace_ms)
{
	if (status.state != APP_RUNNING)
		return;
	watch_close(&stop_timer);
	kill(status.pid, grace_ms == 0 ? SIGKILL : stop_signal);
	struct itimerspec at = {.it_value = {.tv_sec = grace_ms / 1000, .tv_nsec = (long)(grace_ms % 1000) * 1000000 + 1}};
	stop_timer = (struct watch){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), .handler = on_grace_over};
	if (stop_timer.fd < 0 || timerfd_settime(stop_timer.fd, 0, &at, NULL) < 0) {
		kill(status.pid, SIGKILL); /* without a timer there is no grace */
		return;
	}
	watch_set(&stop_timer, EPOLLIN);
}
