// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Programs by BPF trampoline for functions that the loader names: BCC's own macros take a name as it is written. */

struct page_pool;

#define ENTRY(function, args...) KFUNC_PROBE(function, args)
#define EXIT(function, args...) KRETFUNC_PROBE(function, args)
