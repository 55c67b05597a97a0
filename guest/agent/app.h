/* The app: at most one per boot, its output and its end. */
#ifndef CATNAP_APP_H
#define CATNAP_APP_H

#include <stdint.h>
#include <sys/types.h>

#include "container.h"
#include "output-ring.h"
#include "start-config.h"

enum app_state { APP_IDLE, APP_RUNNING, APP_EXITED };

struct app_status {
	enum app_state state;
	pid_t pid;
	int exit_code;	/* 128 + number when a signal ended it */
};

/* Called whenever there is new output or the app has ended. */
typedef void (*app_listener)(void);

void app_init(app_listener on_change);
struct app_status app_status(void);
const struct output_ring *app_output(void);

/* What the app was started with; NULL unless it runs. */
const struct start_config *app_config(void);

/*
 * False with the reason when it did not start; then it counts as exited with the reason's exit code. On success the
 * config and the body its strings live in belong to the app, and the caller's are emptied.
 */
bool app_start(struct start_config *config, char **body, struct start_failure *failure);
/* A child was reaped; false when it was not the app. */
bool app_child_ended(pid_t pid, int exit_code);
/* Asks the app's first process to end; after `grace_ms` the kernel ends the whole container. */
void app_stop(uint32_t grace_ms);

#endif
