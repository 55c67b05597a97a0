/*
 * Feeds random and mutated bytes to the agent's parsers and its ring, under the sanitizers of guest/agent/test/run.sh.
 * Usage: parser-fuzz SECONDS [SEED]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../command.h"
#include "../output-ring.h"
#include "../session-config.h"
#include "../session-input.h"
#include "../start-config.h"
#include "../user-lookup.h"

static uint64_t state;

static uint32_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

#define EXPECT(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

/* A copy of exact size, so that the sanitizer sees the first byte read beyond it. */
static char *mutate(const char *sample, size_t length, size_t *out_length)
{
	size_t room = length + 16;
	char *bytes = malloc(room);
	memcpy(bytes, sample, length);
	for (uint32_t edits = next_random() % 6; edits > 0; edits--) {
		size_t at = length == 0 ? 0 : next_random() % length;
		switch (next_random() % 3) {
		case 0:
			if (length > 0)
				bytes[at] = (char)next_random();
			break;
		case 1:
			if (length < room) {
				memmove(bytes + at + 1, bytes + at, length - at);
				bytes[at] = " :=\n0159\0fz/"[next_random() % 12];
				length++;
			}
			break;
		default:
			length -= length == 0 ? 0 : next_random() % (length + 1) / 3;
		}
	}
	*out_length = length;
	char *exact = malloc(length == 0 ? 1 : length);
	memcpy(exact, bytes, length);
	free(bytes);
	return exact;
}

static void fuzz_command(void)
{
	static const char *const samples[] = {
		"relay 8080", "events 18446744073709551615", "start 524288", "status", "listening 80 8080 65535", "stop 3600000",
		"wake 1.000000000 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "busy", "", "relay 0", "hello",
		"identify microvm-1 0123456789abcdef0123456789abcdef",
		"rehearse 1.000000000 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
		"session 131072", "session 0",
	};
	size_t length;
	const char *sample = samples[next_random() % (sizeof(samples) / sizeof(samples[0]))];
	char *line = mutate(sample, strlen(sample), &length);
	struct command command;
	if (command_parse(line, length, &command)) {
		EXPECT(command.port_count <= MAX_LISTENING_PORTS);
		EXPECT(command.entropy_length <= MAX_ENTROPY_BYTES);
		EXPECT(command.body_length <= MAX_START_CONFIG_BYTES);
		EXPECT(command.kind != COMMAND_SESSION || (command.body_length > 0 && command.body_length <= MAX_SESSION_CONFIG_BYTES));
		EXPECT(command.kind != COMMAND_RELAY || command.port != 0);
	}
	free(line);
}

static void fuzz_start_config(void)
{
	static const char sample[] = "dir=/srv\0user=app:1\0stop-signal=15\0capabilities=all\0arg=sh\0arg=\0env=A=b\0";
	size_t length;
	char *body = mutate(sample, sizeof(sample) - 1, &length);
	struct start_config config;
	if (start_config_parse(body, length, &config) == NULL) {
		EXPECT(config.argv[0] != NULL && config.argv[0][0] != '\0');
		EXPECT(config.working_dir[0] == '/');
		EXPECT(config.stop_signal > 0 && config.stop_signal <= 64);
	}
	start_config_free(&config);
	free(body);
}

static void fuzz_session_config(void)
{
	static const char sample[] = "terminal=80x24\0arg=sh\0arg=\0env=A=b\0env=C=\0dir=/\0user=0\0program=busybox\0";
	static char *argv[] = {"app", NULL}, *envp[] = {"A=a", "PATH=/bin", NULL};
	const struct start_config app = {.argv = argv, .envp = envp, .working_dir = "/srv", .user = "app", .stop_signal = 15};
	size_t length, names = 0;
	char *body = mutate(sample, sizeof(sample) - 1, &length);
	struct session_config config;
	if (session_config_parse(body, length, &app, &config) == NULL) {
		EXPECT(config.program.argv[0] != NULL && config.program.argv[0][0] != '\0');
		EXPECT(config.program.working_dir[0] == '/');
		for (char **at = config.program.envp; *at != NULL; at++)
			names += strncmp(*at, "A=", 2) == 0 || strncmp(*at, "PATH=", 5) == 0;
		EXPECT(names == 2);
	}
	session_config_free(&config);
	free(body);
}

/* A stream of frames in pieces of any size, taken by a program that is sometimes slow. */
static void fuzz_session_input(void)
{
	static struct session_input input;
	static const char sample[] = "in 5\nhelloresize 80 24\nin 1\nxeof\nin 32768\nyyyyyyyyyyyyyyyyyyyyyy";
	size_t length, room;
	char *stream = mutate(sample, sizeof(sample) - 1, &length);
	memset(&input, 0, sizeof(input));
	for (size_t at = 0; at < length;) {
		char *to = session_input_room(&input, &room);
		size_t piece = 1 + next_random() % 20;
		piece = piece < length - at ? piece : length - at;
		EXPECT(room >= piece && to + room == input.bytes + sizeof(input.bytes));
		memcpy(to, stream + at, piece);
		session_input_received(&input, piece);
		at += piece;
		for (struct session_item item = session_input_next(&input); item.kind != ITEM_NONE; item = session_input_next(&input)) {
			if (item.kind == ITEM_BROKEN) {
				free(stream);
				return;
			}
			if (item.kind != ITEM_BYTES)
				continue;
			EXPECT(item.length > 0 && item.bytes + item.length <= input.bytes + input.length);
			session_input_took(&input, 1 + next_random() % item.length);
		}
		EXPECT(input.at <= input.length && input.payload_left <= MAX_SESSION_FRAME_BYTES);
	}
	free(stream);
}

static char *mutated_text(const char *sample)
{
	size_t length;
	char *bytes = mutate(sample, strlen(sample), &length);
	char *text = calloc(length + 1, 1);
	memcpy(text, bytes, length);
	free(bytes);
	return text;
}

static void fuzz_user_lookup(void)
{
	static const char *const specs[] = {"", "app", "1000", "app:extra", "1000:2000", ":extra", "0:0", "app:"};
	char *spec = mutated_text(specs[next_random() % 8]);
	char *passwd = mutated_text("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n");
	char *group = mutated_text("root:x:0:\nextra:x:2000:app,root\nmore:x:2001:root,app");
	struct container_user user;
	if (user_lookup(spec, passwd, group, &user) == NULL) {
		EXPECT(user.group_count <= MAX_SUPPLEMENTARY_GROUPS);
		EXPECT(strlen(user.home) < sizeof(user.home));
	}
	free(spec);
	free(passwd);
	free(group);
}

/* What byte `offset` of the output is; the ring must give back exactly these. */
static uint8_t byte_at(uint64_t offset)
{
	return (uint8_t)(offset * 31 + (offset >> 8));
}

static void fuzz_ring(void)
{
	static struct output_ring ring;
	static uint8_t bytes[3 * OUTPUT_RING_BYTES / 2];
	size_t length = next_random() % 100 == 0 ? next_random() % sizeof(bytes) : next_random() % 5000;
	for (size_t i = 0; i < length; i++)
		bytes[i] = byte_at(ring.end + i);
	uint64_t end = ring.end + length;
	output_ring_write(&ring, next_random() % 2 == 0 ? OUTPUT_STDOUT : OUTPUT_STDERR, bytes, length);
	EXPECT(ring.end == end && ring.end - ring.first <= OUTPUT_RING_BYTES);
	uint64_t at = ring.first + next_random() % (ring.end - ring.first + 1);
	for (int i = 0; i < 20; i++) {
		struct output_chunk chunk = output_ring_read(&ring, at, 1000);
		EXPECT(chunk.offset == at && chunk.offset + chunk.length <= ring.end);
		EXPECT(chunk.length > 0 || at == ring.end);
		for (size_t j = 0; j < chunk.length; j++)
			EXPECT(chunk.bytes[j] == byte_at(at + j));
		at += chunk.length;
	}
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 2;
	state = argc > 2 ? (uint64_t)atoll(argv[2]) : (uint64_t)time(NULL);
	state |= 1;
	printf("seed %llu\n", (unsigned long long)state);
	time_t end = time(NULL) + seconds;
	unsigned long rounds = 0;
	for (; time(NULL) < end; rounds++) {
		for (int i = 0; i < 100; i++) {
			fuzz_command();
			fuzz_start_config();
			fuzz_session_config();
			fuzz_session_input();
			fuzz_user_lookup();
		}
		fuzz_ring();
	}
	printf("%lu rounds\n", rounds);
	return 0;
}
