/*
 * The guest agent: first process of the VM. Boots it, then serves the host (guest/PROTOCOL.md) in one event loop; the
 * app runs in a container of its own beside it.
 */
#include "app.h"
#include "boot.h"
#include "children.h"
#include "control.h"
#include "etc-files.h"
#include "events.h"
#include "listener.h"
#include "log.h"
#include "loop.h"

static void on_app_changed(void)
{
	events_push();
	control_app_changed();
}

int main(void)
{
	boot_system();
	log_line("kernel ready");
	boot_disks();
	etc_files_write(APP_ROOT);
	boot_network();
	loop_init();
	children_init();
	app_init(on_app_changed);
	listener_open();
	log_line("ready");
	loop_run();
}
