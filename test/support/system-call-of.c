/*
 * Makes another process do one system call, as if it had been taken over: system-call-of PID NUMBER [ARGUMENT...]
 *
 * An argument is a number, s:TEXT (a string's address) or x:HEX (the address of these bytes). Prints what the call
 * returned, or "killed" when the process did not survive it. For tests of what confines a process; x86-64, run by root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 6, SCRATCH = 4096, SYSCALL_BYTES = 2 };

static void die(const char *what)
{
	fprintf(stderr, "system-call-of: %s: %s\n", what, strerror(errno));
	exit(2);
}

static size_t decode_hex(const char *text, unsigned char *out, size_t most)
{
	size_t length = 0;
	unsigned byte;
	for (; length < most && sscanf(text + 2 * length, "%2x", &byte) == 1; length++)
		out[length] = (unsigned char)byte;
	return length;
}

/* Lays an argument's bytes below the stack, where nothing of the process is; resolves to the value to pass. */
static unsigned long long place(pid_t pid, const char *text, unsigned long long *at)
{
	unsigned char bytes[512];
	size_t length;
	if (strncmp(text, "s:", 2) == 0) {
		length = strlen(text + 2) + 1;
		if (length > sizeof(bytes))
			die("an argument is too long");
		memcpy(bytes, text + 2, length);
	} else if (strncmp(text, "x:", 2) == 0) {
		length = decode_hex(text + 2, bytes, sizeof(bytes));
	} else {
		return strtoull(text, NULL, 0);
	}
	struct iovec from = { bytes, length }, to = { (void *)*at, length };
	if (process_vm_writev(pid, &from, 1, &to, 1, 0) != (ssize_t)length)
		die("cannot write to the process");
	unsigned long long address = *at;
	*at += (length + 15) & ~15ULL;
	return address;
}

/* False when it died of the call; a filter may kill just the thread, which nobody is told of while others live. */
static bool stops_again(pid_t pid, int *status)
{
	char path[64], state = '?';
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);
		if (got < 0)
			die("cannot wait");
		if (got > 0)
			return WIFSTOPPED(*status);
		FILE *stat = fopen(path, "r");
		if (stat == NULL || fscanf(stat, "%*d (%*[^)]) %c", &state) != 1 || state == 'Z' || state == 'X')
			return false;
		fclose(stat);
		usleep(1000);
	}
}

int main(int argc, char **argv)
{
	int status;
	struct user_regs_struct saved, regs;
	if (argc < 3 || argc > 3 + MAX_ARGUMENTS)
		return 2;
	pid_t pid = atoi(argv[1]);
	if (ptrace(PTRACE_ATTACH, pid, 0, 0) < 0 || waitpid(pid, &status, 0) < 0)
		die("cannot attach");
	if (ptrace(PTRACE_GETREGS, pid, 0, &saved) < 0)
		die("cannot read registers");
	/* It waits in a system call, so the instruction before is one. */
	long code = ptrace(PTRACE_PEEKTEXT, pid, saved.rip - SYSCALL_BYTES, 0);
	if ((code & 0xffff) != 0x050f)
		die("the process is not waiting");
	regs = saved;
	regs.rip = saved.rip - SYSCALL_BYTES;
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = strtoull(argv[2], NULL, 0);
	unsigned long long scratch = (saved.rsp - 2 * SCRATCH) & ~15ULL;
	unsigned long long values[MAX_ARGUMENTS] = { 0 };
	for (int index = 3; index < argc; index++)
		values[index - 3] = place(pid, argv[index], &scratch);
	regs.rdi = values[0];
	regs.rsi = values[1];
	regs.rdx = values[2];
	regs.r10 = values[3];
	regs.r8 = values[4];
	regs.r9 = values[5];
	if (ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0 || ptrace(PTRACE_SINGLESTEP, pid, 0, 0) < 0)
		die("cannot run the call");
	if (!stops_again(pid, &status) || WSTOPSIG(status) == SIGSYS) {
		puts("killed");
		return 0;
	}
	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		die("cannot read the answer");
	printf("%lld\n", (long long)regs.rax);
	if (ptrace(PTRACE_SETREGS, pid, 0, &saved) < 0 || ptrace(PTRACE_DETACH, pid, 0, 0) < 0)
		die("cannot let go");
	return 0;
}
