#include "command.h"

#include <string.h>

#include "line-cursor.h"

static bool take_port(struct cursor *cursor, uint16_t *port)
{
	uint64_t value;
	if (!cursor_take_number(cursor, 65535, &value) || value == 0)
		return false;
	*port = (uint16_t)value;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool take_hex(struct cursor *cursor, uint8_t *bytes, size_t most, size_t *length)
{
	size_t count = 0;
	while (!cursor_at_end(cursor)) {
		if (cursor->end - cursor->at < 2 || count == most)
			return false;
		int high = hex_digit(cursor->at[0]);
		int low = hex_digit(cursor->at[1]);
		if (high < 0 || low < 0)
			return false;
		bytes[count++] = (uint8_t)(high * 16 + low);
		cursor->at += 2;
	}
	*length = count;
	return true;
}

static bool parse_listening(struct cursor *cursor, struct command *command)
{
	while (cursor_take_char(cursor, ' ')) {
		if (command->port_count == MAX_LISTENING_PORTS)
			return false;
		if (!take_port(cursor, &command->ports[command->port_count]))
			return false;
		command->port_count++;
	}
	return true;
}

/* "wake <seconds>.<nine digits> <hex>" */
static bool parse_wake(struct cursor *cursor, struct command *command)
{
	uint64_t seconds, nanoseconds;
	if (!cursor_take_char(cursor, ' ') || !cursor_take_number(cursor, INT64_MAX / 2, &seconds) || !cursor_take_char(cursor, '.'))
		return false;
	const char *fraction = cursor->at;
	if (!cursor_take_number(cursor, 999999999, &nanoseconds) || cursor->at - fraction != 9 || !cursor_take_char(cursor, ' '))
		return false;
	command->wall_clock.tv_sec = (time_t)seconds;
	command->wall_clock.tv_nsec = (long)nanoseconds;
	return take_hex(cursor, command->entropy, MAX_ENTROPY_BYTES, &command->entropy_length) &&
	       command->entropy_length >= MIN_ENTROPY_BYTES;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* "identify <name> <32 hexadecimal digits>" */
static bool parse_identify(struct cursor *cursor, struct command *command)
{
	size_t length = 0;
	if (!cursor_take_char(cursor, ' '))
		return false;
	for (; !cursor_at_end(cursor) && is_name_byte(*cursor->at) && length < MAX_HOSTNAME_BYTES; cursor->at++)
		command->hostname[length++] = *cursor->at;
	if (length == 0 || !cursor_take_char(cursor, ' '))
		return false;
	for (length = 0; !cursor_at_end(cursor) && hex_digit(*cursor->at) >= 0 && length < MACHINE_ID_DIGITS; cursor->at++)
		command->machine_id[length++] = *cursor->at;
	return length == MACHINE_ID_DIGITS;
}

static bool parse_body_length(struct cursor *cursor, size_t most, struct command *command)
{
	uint64_t length;
	if (!cursor_take_char(cursor, ' ') || !cursor_take_number(cursor, most, &length))
		return false;
	command->body_length = (size_t)length;
	return length > 0;
}

static bool parse_arguments(struct cursor *cursor, struct command *command)
{
	uint64_t number;
	switch (command->kind) {
	case COMMAND_RELAY:
		return cursor_take_char(cursor, ' ') && take_port(cursor, &command->port);
	case COMMAND_EVENTS:
		return cursor_take_char(cursor, ' ') && cursor_take_number(cursor, INT64_MAX, &command->offset);
	case COMMAND_START:
		return parse_body_length(cursor, MAX_START_CONFIG_BYTES, command);
	case COMMAND_SESSION:
		return parse_body_length(cursor, MAX_SESSION_CONFIG_BYTES, command);
	case COMMAND_STOP:
		if (!cursor_take_char(cursor, ' ') || !cursor_take_number(cursor, MAX_GRACE_MS, &number))
			return false;
		command->grace_ms = (uint32_t)number;
		return true;
	case COMMAND_LISTENING:
		return parse_listening(cursor, command);
	case COMMAND_WAKE:
	case COMMAND_REHEARSE:
		return parse_wake(cursor, command);
	case COMMAND_IDENTIFY:
		return parse_identify(cursor, command);
	case COMMAND_HELLO:
	case COMMAND_STATUS:
	case COMMAND_BUSY:
	case COMMAND_SETTLE:
	case COMMAND_POWEROFF:
		return true;
	}
	return false;
}

bool command_parse(const char *line, size_t length, struct command *command)
{
	static const struct {
		const char *word;
		enum command_kind kind;
	} words[] = {
		{"relay", COMMAND_RELAY},     {"events", COMMAND_EVENTS},       {"start", COMMAND_START},
		{"status", COMMAND_STATUS},   {"listening", COMMAND_LISTENING}, {"busy", COMMAND_BUSY},
		{"settle", COMMAND_SETTLE},   {"wake", COMMAND_WAKE},           {"stop", COMMAND_STOP},
		{"poweroff", COMMAND_POWEROFF}, {"hello", COMMAND_HELLO},       {"session", COMMAND_SESSION},
		{"rehearse", COMMAND_REHEARSE}, {"identify", COMMAND_IDENTIFY},
	};
	struct cursor cursor = {line, line + length};
	memset(command, 0, sizeof(*command));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!cursor_take_word(&cursor, words[i].word))
			continue;
		command->kind = words[i].kind;
		return parse_arguments(&cursor, command) && cursor_at_end(&cursor);
	}
	return false;
}
