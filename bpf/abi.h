// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * What the kernel side writes and user space maps. ppobserve/probe/abi.py mirrors it; the loader appends assertions
 * for every offset, so the two can't drift apart without a compile error.
 *
 * Slot 0 stands for "none yet", the GROUPS behind it are the groups' own, and SLOTS more are for pools.
 */
#include "config.h"

#define BATCHES      8     /* refill batches of 0, 1, 2, ..4, ..8, ..16, ..32, ..64 pages */
#define UNKNOWN_NODE NODES /* past the nodes told apart, or a buffer without struct page */
#define NAME_BYTES   16    /* IFNAMSIZ */

enum { MISS_RING_EMPTY, MISS_NUMA, MISSES };
enum {
	RETURN_NUMA, /* a refill met it on the wrong node */
	RETURN_RING_FULL,
	RETURN_REFERENCED, /* someone else still holds a reference */
	RETURN_PFMEMALLOC, /* from the reserves for emergencies, never recycled */
	RETURN_NID_UPDATE, /* the driver moved the pool, which empties its cache */
	RETURN_TEARDOWN,   /* the pool is being destroyed */
	RETURN_OTHER,
	RETURNS
};
enum { IN_CACHE, IN_RING, PLACES };

/*
 * Counters of one pool on one CPU. What the consumer of a pool does (refill, slow, hold) is serialised by the pool's
 * own contract, so plain additions are exact; a return can interrupt a return, so those are atomic.
 */
struct slot {
	u64 owner; /* address of the pool or key of the group; 0: free */
	u32 entry; /* where the owner is in pools */
	u32 cpu;   /* whose events these are; a group's: 0 */
	u64 batch[BATCHES];
	u64 batch_pages;
	u64 miss[MISSES];
	u64 slow;
	u64 held;
	u64 returned[RETURNS];
	u64 nid_updates;
	u64 alloc_cache;                         /* allocations that the cache served */
	u64 frag_reuse;                          /* fragments that start the last page anew, past cache and ring */
	u64 scrubbed[PLACES];                    /* pages that the end of the pool took out of its cache and ring */
	u64 mismatch[(NODES + 1) * (NODES + 1)]; /* [page_node][wanted_node] */
};
#define FIRST_COUNTER (__builtin_offsetof(struct slot, batch) / 8)
#define SLOT_WORDS    (sizeof(struct slot) / 8)

/*
 * One pool from first sight to its end, or one group: the sum of a device's ended pools. A pool's key is its address;
 * a group's is odd, which no address is.
 */
struct pool {
	u64 owner;       /* the key; 0: free */
	u64 seen_ns;     /* first sight, CLOCK_MONOTONIC */
	u64 detached_ns; /* destroyed by its driver with pages still out; 0: in use */
	u64 released;    /* pages that left since first sight, from the pool's own counter */
	u64 frag_page;   /* the page that was being cut into fragments when the pool was destroyed */
	u32 release_cnt; /* that counter when last read */
	s32 inflight;
	u32 id;
	s32 nid;
	u32 netns;
	u32 ifindex;
	u32 napi_id;
	s32 queue;       /* the device's receive queue; -1: not known */
	s32 cpu;         /* whose system pool it is; -1: nobody's */
	s32 device_node; /* -1: none, or not known */
	u32 order;       /* of its pages */
	u32 provider;    /* its buffers come from a memory provider (devmem TCP, io_uring) */
	u32 cache_pages;
	u32 ring_pages;
	u32 ring_size;
	u32 tearing;      /* its pages are being given back, since its driver destroyed it */
	s32 consumer_cpu; /* where it last allocated, or refilled; -1: not yet */
	u32 first_cache;  /* pages in its cache and ring at first sight; a group's: its members' together */
	u32 first_ring;
	u32 first_hold; /* pages it had ever held by then; 0: it was seen from its beginning */
	u32 ring_head;  /* where its ring's consumer stood at first sight; with REFILL_BY_EXIT, after its last refill */
	char netdev[NAME_BYTES];
	char driver[NAME_BYTES];
	char device[NAME_BYTES];
};

/* The pages that one pool keeps, by the node they are on: what bpf/sample/kept.c found last. */
struct kept {
	u64 pages[PLACES][NODES + 1];
};

/* What the kernel itself counted for one pool: what bpf/sample/stats.c found last. */
struct stats {
	u64 alloc_fast;
	u64 alloc_slow; /* of any order */
	u64 alloc_empty;
	u64 alloc_refill;
	u64 alloc_waive;
	u64 has_recycled; /* the four below are this pool's own */
	u64 recycle_cached;
	u64 recycle_ring;
	u64 recycle_ring_full;
	u64 recycle_released_ref;
};

/* Facts about the tables themselves. A reader that sees folds_begun != folds_done, or either move, reads again. */
struct ledger {
	u64 folds_begun;
	u64 folds_done;
	u64 pools_dropped; /* pools that found the table full */
	u64 slots_dropped; /* events that found no slot */
};
