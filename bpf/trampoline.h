// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Programs by BPF trampoline: ctx[n] is argument n of the hooked function, and at its exit the result stands behind the
 * last argument. Which function that is, the loader says when it loads a program (attach_btf_id), not its name.
 */

typedef u64 trampoline;
