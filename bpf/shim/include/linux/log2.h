#pragma once
/* BPF_STACK_TRACE rounds its size with this; ppobserve passes powers of two. */
#define roundup_pow_of_two(n) (n)
