/*
 * commands.c - the table of commands, in the order in which help lists them
 */
#include "cli/commands.h"

const struct command *const commands[] = {
	&command_attach,
	&command_compat,
	&command_cp,
	&command_create,
	&command_exec,
	&command_image,
	&command_images,
	&command_info,
	&command_inspect,
	&command_kill,
	&command_load,
	&command_logs,
	&command_network,
	&command_pause,
	&command_port,
	&command_ps,
	&command_pull,
	&command_rename,
	&command_restart,
	&command_rm,
	&command_rmi,
	&command_run_,
	&command_save,
	&command_start,
	&command_stop,
	&command_tag,
	&command_top,
	&command_unpause,
	&command_version,
	&command_volume,
	&command_wait,
	NULL,
};
