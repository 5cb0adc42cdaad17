// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* Returns, where the refill is hooked: a return of the pool that this CPU is refilling is a mismatch. */

int page_returned(struct bpf_raw_tracepoint_args *ctx)
{
	count_return(ctx->args[0], ctx->args[1], is_refilling(ctx->args[0]));
	return 0;
}
