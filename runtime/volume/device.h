/*
 * device - volumes that are a mount: docker's local driver options type, device and o.
 */
#ifndef RUNTIME_VOLUME_DEVICE_H
#define RUNTIME_VOLUME_DEVICE_H

#include "compat/base/err.h"

/* @options as mount(8) takes them ("ro,noatime,size=1m"); ERR_INVALID for words that make no sense here (remount, propagation). */
int volume_device_check(const char *options, struct err *err);

/* Mount @device at @target unless it is there already. @options may be NULL. */
int volume_device_mount(const char *device, const char *target, const char *type,
			const char *options, struct err *err);

/* Unmount @target; not being mounted is success. */
int volume_device_unmount(const char *target, struct err *err);

#endif
