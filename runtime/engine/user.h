/*
 * user - who a container's process runs as, by the image's /etc/passwd and /etc/group.
 */
#ifndef RUNTIME_ENGINE_USER_H
#define RUNTIME_ENGINE_USER_H

#include "runtime/oci/spec.h"

/*
 * @user	"", "name", "uid", "name:group", "uid:gid"
 * @groups	more groups, by name or number; may be NULL
 * @ret_home	owned: the home directory, or NULL when it is not known
 *
 * A name that is not in the files is ERR_INVALID; a number may be missing there (its group is then 0). Links in the image are
 * resolved inside it; files over 1 MiB are refused.
 */
int user_resolve(const char *rootfs, const char *user, const struct strv *groups, struct oci_user *ret,
		 char **ret_home, struct err *err);

#endif
