#include "start-config.h"

#include <stdlib.h>
#include <string.h>

/* Real-time signals end at 64. */
#define MAX_SIGNAL 64

static const char *value_of(const char *record, const char *key)
{
	size_t length = strlen(key);
	return strncmp(record, key, length) == 0 && record[length] == '=' ? record + length + 1 : NULL;
}

static int parse_signal(const char *text)
{
	int number = 0;
	for (const char *at = text; *at != '\0'; at++) {
		if (*at < '0' || *at > '9' || at - text > 1)
			return 0;
		number = number * 10 + (*at - '0');
	}
	return number <= MAX_SIGNAL ? number : 0;
}

static bool is_environment_entry(const char *entry)
{
	const char *equals = strchr(entry, '=');
	return equals != NULL && equals != entry;
}

static const char *take_record(char *record, struct start_config *config, size_t *argc, size_t *envc)
{
	const char *value;
	if (value_of(record, "arg") != NULL) {
		config->argv[(*argc)++] = record + strlen("arg=");
		return NULL;
	}
	if ((value = value_of(record, "env")) != NULL) {
		if (!is_environment_entry(value))
			return "an environment entry is not NAME=VALUE";
		config->envp[(*envc)++] = record + strlen("env=");
		return NULL;
	}
	if ((value = value_of(record, "dir")) != NULL) {
		config->working_dir = value;
		return *value == '/' ? NULL : "the working directory is not absolute";
	}
	if ((value = value_of(record, "user")) != NULL) {
		config->user = value;
		return NULL;
	}
	if ((value = value_of(record, "stop-signal")) != NULL) {
		config->stop_signal = parse_signal(value);
		return config->stop_signal > 0 ? NULL : "the stop signal is not a signal number";
	}
	if ((value = value_of(record, "capabilities")) != NULL) {
		config->all_capabilities = strcmp(value, "all") == 0;
		return config->all_capabilities || strcmp(value, "default") == 0 ? NULL : "unknown capability set";
	}
	return "unknown start record";
}

const char *start_config_parse(char *body, size_t length, struct start_config *config)
{
	*config = (struct start_config){.working_dir = "/", .user = "", .stop_signal = 15};
	if (length == 0 || body[length - 1] != '\0')
		return "the start records do not end in NUL";
	size_t records = 0;
	for (size_t i = 0; i < length; i++)
		records += body[i] == '\0';
	config->argv = calloc(records + 1, sizeof(char *));
	config->envp = calloc(records + 1, sizeof(char *));
	if (config->argv == NULL || config->envp == NULL)
		return "out of memory";
	size_t argc = 0, envc = 0;
	for (size_t at = 0; at < length; at += strlen(body + at) + 1) {
		const char *wrong = take_record(body + at, config, &argc, &envc);
		if (wrong != NULL)
			return wrong;
	}
	if (argc == 0 || config->argv[0][0] == '\0')
		return "no command to start: the image has neither ENTRYPOINT nor CMD";
	return NULL;
}

void start_config_free(struct start_config *config)
{
	free(config->argv);
	free(config->envp);
	*config = (struct start_config){0};
}
