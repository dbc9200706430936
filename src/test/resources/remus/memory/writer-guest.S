# A guest that fits into a boot sector and writes its memory in four ways, for the exactness tests of dirty tracking:
# scattered words all over 64 MiB, whole pages of zeros, the same few pages over and over, and disk reads, whose data the
# host's kernel writes into guest memory. Runs in real mode with 4 GiB segments, so that firmware calls and high memory go together.
#
# Layout: 0x600000 counts the loops; the pages written over and over begin at 0x700000, the window of 16384
# pages at 0x2000000.

.equ COUNTER, 0x600000
.equ HOT, 0x700000
.equ HOT_PAGES, 16
.equ WINDOW, 0x2000000
.equ WORDS_PER_LOOP, 48

.code16
.globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    cld
    movb %dl, drive

again:
    call large_segments

    movl seed, %eax
    movw $WORDS_PER_LOOP, %cx
word:
    imull $1664525, %eax, %eax
    addl $1013904223, %eax
    movl %eax, %edi
    shrl $18, %edi
    shll $12, %edi
    addl $WINDOW, %edi
    addr32 movl %eax, 8(%edi)
    decw %cx
    jnz word
    movl %eax, seed

    # The page that the last word fell into becomes zeros again.
    xorl %eax, %eax
    movl $1024, %ecx
zeros:
    addr32 movl %eax, (%edi)
    addl $4, %edi
    decl %ecx
    jnz zeros

    movl $HOT, %edi
    movw $HOT_PAGES, %cx
hot:
    addr32 incl (%edi)
    addl $0x1000, %edi
    decw %cx
    jnz hot

    movl $COUNTER, %edi
    addr32 incl (%edi)
    addr32 movl (%edi), %ebx

    # Eight sectors to one of 32 pages from 0x20000 on.
    movw %bx, %ax
    andw $31, %ax
    shlw $8, %ax
    addw $0x2000, %ax
    movw %ax, packet_segment
    movw %bx, %ax
    andw $63, %ax
    movw %ax, packet_sector
    movw $packet, %si
    movb drive, %dl
    movb $0x42, %ah
    sti
    int $0x13
    cli

    movl $SPIN, %ecx
spin:
    decl %ecx
    jnz spin
    jmp again

# The processor keeps a segment's limit when it goes back to real mode.
large_segments:
    lgdt table_pointer
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    jmp 1f
1:  movw $8, %bx
    movw %bx, %ds
    movw %bx, %es
    andb $0xfe, %al
    movl %eax, %cr0
    jmp 2f
2:  xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    ret

.balign 4
seed: .long 12345
drive: .byte 0
.balign 4
packet:
    .byte 16, 0
    .word 8
    .word 0
packet_segment:
    .word 0
packet_sector:
    .quad 0
.balign 8
table:
    .quad 0
    .quad 0x00cf92000000ffff
table_pointer:
    .word 15
    .long table

.org 510
.word 0xaa55
