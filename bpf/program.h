// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * How a program that hangs on a function sees it: by BPF trampoline (BY_TRAMPOLINE) or by kprobe. A trampoline's ctx[n] is
 * argument n, and at the exit the result follows the last argument. A kprobe's exit sees the result alone, so its entry
 * leaves the pool behind. Which function a program hangs on, the loader says when it loads it.
 */
#include "config.h"

#ifdef BY_TRAMPOLINE
typedef u64 context;
#define FIRST_ARGUMENT(ctx) ((ctx)[0])
#else
typedef struct pt_regs context;
#define FIRST_ARGUMENT(ctx) PT_REGS_PARM1(ctx)
#endif
