#pragma once
/* Goes into the program's "version" section. Nothing has checked it since kernel commit 6c4fc209fcf9
 * ("bpf: remove useless version check for prog load", 5.0).
 */
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#define LINUX_VERSION_CODE KERNEL_VERSION(5, 10, 0)
