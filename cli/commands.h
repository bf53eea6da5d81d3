/*
 * commands - the rows that the files of this folder define for the table in table.c.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

/* run.c */
extern const struct command command_create, command_run_;
/* attach.c */
extern const struct command command_attach, command_start;
/* exec.c */
extern const struct command command_exec;
/* container.c */
extern const struct command command_stop, command_restart, command_kill, command_rm, command_pause,
	command_unpause, command_rename, command_wait, command_top, command_port;
/* cp.c */
extern const struct command command_cp;
/* ps.c */
extern const struct command command_ps;
/* logs.c */
extern const struct command command_logs;
/* inspect.c */
extern const struct command command_inspect, command_image_inspect;
/* image.c */
extern const struct command command_pull, command_load, command_save, command_tag, command_rmi;
/* images.c */
extern const struct command command_image, command_images;
/* system.c */
extern const struct command command_info, command_version, command_compat;
/* volume.c, network.c */
extern const struct command command_volume, command_network;

#endif
