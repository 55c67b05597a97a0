#include "session-config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "line-cursor.h"

static bool parse_terminal(const char *text, struct session_config *config)
{
	struct cursor cursor = {text, text + strlen(text)};
	uint64_t columns, rows;
	if (!cursor_take_number(&cursor, UINT16_MAX, &columns) || !cursor_take_char(&cursor, 'x'))
		return false;
	if (!cursor_take_number(&cursor, UINT16_MAX, &rows) || !cursor_at_end(&cursor))
		return false;
	config->has_terminal = true;
	config->columns = (unsigned short)columns;
	config->rows = (unsigned short)rows;
	return true;
}

/* Sets a variable, or replaces the one of the same name. */
static void put_environment(char **envp, size_t *count, char *entry)
{
	size_t name_length = strcspn(entry, "=") + 1;
	for (size_t i = 0; i < *count; i++) {
		if (strncmp(envp[i], entry, name_length) != 0)
			continue;
		envp[i] = entry;
		return;
	}
	envp[(*count)++] = entry;
}

static const char *take_record(char *record, struct session_config *config, size_t *argc, size_t *envc)
{
	char *value = strchr(record, '=');
	if (value == NULL)
		return "unknown session record";
	size_t key_length = (size_t)(value - record);
	value++;
	if (key_length == 3 && memcmp(record, "arg", 3) == 0) {
		config->program.argv[(*argc)++] = value;
		return NULL;
	}
	if (key_length == 3 && memcmp(record, "env", 3) == 0) {
		if (value[0] == '=' || strchr(value, '=') == NULL)
			return "an environment entry is not NAME=VALUE";
		put_environment(config->program.envp, envc, value);
		return NULL;
	}
	if (key_length == 3 && memcmp(record, "dir", 3) == 0) {
		config->program.working_dir = value;
		return *value == '/' ? NULL : "the working directory is not absolute";
	}
	if (key_length == 4 && memcmp(record, "user", 4) == 0) {
		config->program.user = value;
		return NULL;
	}
	if (key_length == 8 && memcmp(record, "terminal", 8) == 0)
		return parse_terminal(value, config) ? NULL : "the terminal's size is not COLUMNSxROWS";
	if (key_length == 7 && memcmp(record, "program", 7) == 0) {
		config->is_busybox = strcmp(value, "busybox") == 0;
		return config->is_busybox ? NULL : "unknown program";
	}
	return "unknown session record";
}

static size_t count_entries(char *const *list)
{
	size_t count = 0;
	while (list[count] != NULL)
		count++;
	return count;
}

const char *session_config_parse(char *body, size_t length, const struct start_config *app, struct session_config *config)
{
	*config = (struct session_config){.program = *app};
	config->program.argv = config->program.envp = NULL;
	if (length == 0 || body[length - 1] != '\0')
		return "the session records do not end in NUL";
	size_t records = 0, argc = 0, envc = count_entries(app->envp);
	for (size_t i = 0; i < length; i++)
		records += body[i] == '\0';
	config->program.argv = calloc(records + 1, sizeof(char *));
	config->program.envp = calloc(records + envc + 1, sizeof(char *));
	if (config->program.argv == NULL || config->program.envp == NULL)
		return "out of memory";
	memcpy(config->program.envp, app->envp, envc * sizeof(char *));
	for (size_t at = 0; at < length; at += strlen(body + at) + 1) {
		const char *wrong = take_record(body + at, config, &argc, &envc);
		if (wrong != NULL)
			return wrong;
	}
	return argc > 0 && config->program.argv[0][0] != '\0' ? NULL : "no program to run";
}

void session_config_free(struct session_config *config)
{
	start_config_free(&config->program);
	*config = (struct session_config){0};
}
