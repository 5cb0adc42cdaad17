// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Tracepoint page_pool_release, where the end of a pool is seen. */
#include "end.h"

/*
 * When a pool was destroyed, CLOCK_MONOTONIC: now, where the kernel does not say, or has yet to write it down. It does
 * by CLOCK_BOOTTIME, in seconds, which stay below 1 << 32, and since kernel commit 28b225282d44 ("page_pool: store
 * detach_time as ktime_t to avoid false-negatives", 7.0) in nanoseconds.
 */
static u64 detached_since(u64 pool)
{
	u64 now = bpf_ktime_get_ns(), age = 0;
#ifdef PP_DETACH_TIME /* kernel commit 69cb4952b6f6 ("net: page_pool: report when page pool was destroyed", 6.8) */
	u64 then = read_u64(pool + PP_DETACH_TIME), boot = bpf_ktime_get_boot_ns();

	if (then < 1ULL << 32)
		then *= 1000000000;
	if (then && then < boot)
		age = boot - then;
#endif
	return age < now ? now - age : 1;
}

/* Its driver destroyed it, maybe long before we came, and pages are still out. */
static void detach_pool(u64 pool)
{
	u32 *entry = entry_of(pool);
	struct pool *p = entry ? pools.lookup(entry) : 0;

	if (!p)
		return;
	if (!p->detached_ns)
		p->detached_ns = detached_since(pool);
	p->tearing = 0;
}

/* page_pool_release(pool, inflight, hold, release): fires at destroy, then once a second until nothing is in flight. */
static int release(struct bpf_raw_tracepoint_args *ctx)
{
	u64 pool = ctx->args[0];
	s32 inflight = ctx->args[1];
	u32 *entry = known_entry(pool);

	if (inflight)
		detach_pool(pool);
	else if (entry)
		fold_pool(ctx, pool, *entry, true);
	else
		refused.delete(&pool); /* its address may be another pool's soon */
	return 0;
}

int pool_released(struct bpf_raw_tracepoint_args *ctx)
{
	return release(ctx);
}

/*
 * The kernel skips a program that another task of the CPU was preempted in, which happens since kernel commit
 * a46023d5616e ("tracing: Guard __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast", 7.0). A pool whose end
 * nobody saw would stay until the next read finds it over, or gone (bpf/sample/pool.c), and the next pool at its address
 * count for it. So two programs look: what one did the other finds done.
 */
int pool_released_too(struct bpf_raw_tracepoint_args *ctx)
{
	return release(ctx);
}
