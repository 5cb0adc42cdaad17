// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Pools that are giving their pages back; see bpf/count/teardown.c. */
#include "page_pool.h"

BPF_TABLE("lru_hash", u64, u8, tearing, 1024);
