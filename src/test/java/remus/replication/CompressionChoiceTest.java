package remus.replication;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** A link and a codec of so many nanoseconds a byte, and a clock that goes on by what they take. */
class CompressionChoiceTest {
    private static final long CHECKPOINT_BYTES = 2 << 20;
    private static final long PIECE_BYTES = 64 << 10;
    private static final long SECOND = 1_000_000_000L;

    private final LinkSpeed link = new LinkSpeed();
    private CompressionChoice choice = new CompressionChoice(Compression.AUTO, link);
    private long nowNanos;
    private double linkNanos;
    private double codecNanos = 1;
    private double share = 0.1;
    private boolean fills = true;

    @Test
    void aLinkThatIsNeverFullCarriesPagesAsTheyAre() {
        fills = false;
        linkNanos = 100;
        assertEquals(0, codedOf(200));
    }

    @Test
    void aSlowLinkHasThemCoded() {
        linkNanos = 8; // 1 Gbit/s
        codedOf(30);
        assertEquals(100, codedOf(100));
    }

    @Test
    void aLinkThatIsFasterThanTheCodecHasThemNot() {
        linkNanos = 4;
        codecNanos = 5;
        codedOf(30);
        assertEquals(0, codedOf(50));
    }

    @Test
    void aFastLinkIsNotEvenTried() {
        linkNanos = 0.9; // 10 Gbit/s
        assertEquals(0, codedOf(2000));
    }

    @Test
    void anAttemptThatDoesNotPayIsNotRepeatedForAWhile() {
        linkNanos = 4;
        codecNanos = 5;
        int coded = codedOf(30);
        assertTrue(coded >= CompressionChoice.TRIAL_ITEMS, "coded " + coded);
        long end = nowNanos + CompressionChoice.RETRY_NANOS / 2;
        while (nowNanos < end) {
            assertFalse(item());
        }
        assertTrue(codedOf(4000) > 0, "it is tried again, for the guest may do something else by now");
    }

    @Test
    void contentThatDoesNotShrinkIsSentAsItIs() {
        linkNanos = 8;
        share = 1;
        codedOf(30);
        assertEquals(0, codedOf(50));
    }

    @Test
    void whatIsCodedUntilTheOtherSideHasABaseDoesNotCount() {
        linkNanos = 8;
        share = 1;
        for (int i = 0; i < CompressionChoice.TRIAL_ITEMS / 2; i++) {
            item();
        }
        share = 0.05;
        codedOf(30);
        assertEquals(50, codedOf(50));
    }

    @Test
    void aLinkThatIsNotFullForLongIsLookedAtAgain() {
        linkNanos = 8;
        codedOf(30);
        fills = false;
        nowNanos += CompressionChoice.LINK_KNOWN_NANOS / 2;
        assertTrue(item(), "what is spared is why it is not full");
        nowNanos += CompressionChoice.LINK_KNOWN_NANOS;
        assertFalse(item());
        fills = true;
        codedOf(30);
        assertEquals(10, codedOf(10));
    }

    @Test
    void aGuestThatWritesLittleIsNotJudgedByAFewBytes() {
        linkNanos = 8;
        codedOf(3);
        for (int i = 0; i < 100; i++) {
            assertTrue(choice.choose(nowNanos));
            choice.coded(4096, 4096, 100_000);
        }
    }

    @Test
    void whatPreCopyMadeOfTheLinkDoesNotCountForCheckpoints() {
        linkNanos = 8;
        codedOf(30);
        fills = false;
        choice.synchronizationEnded();
        assertEquals(0, codedOf(100));
        fills = true;
        codedOf(30);
        assertEquals(10, codedOf(10));
    }

    @Test
    void whoSaysAlwaysOrNeverIsObeyed() {
        choice = new CompressionChoice(Compression.ALWAYS, link);
        assertEquals(50, codedOf(50));
        choice = new CompressionChoice(Compression.NEVER, link);
        linkNanos = 1000;
        assertEquals(0, codedOf(50));
    }

    private int codedOf(int items) {
        int coded = 0;
        for (int i = 0; i < items; i++) {
            coded += item() ? 1 : 0;
        }
        return coded;
    }

    /** Sends a checkpoint; returns whether its pages were coded. */
    private boolean item() {
        boolean coded = choice.choose(nowNanos);
        long bytes = CHECKPOINT_BYTES;
        if (coded) {
            bytes = (long) (CHECKPOINT_BYTES * share);
            long nanos = (long) (CHECKPOINT_BYTES * codecNanos);
            nowNanos += nanos;
            choice.coded(CHECKPOINT_BYTES, bytes, nanos);
        }
        for (long sent = 0; sent < bytes; sent += PIECE_BYTES) {
            link.wrote(PIECE_BYTES);
            nowNanos += (long) (PIECE_BYTES * linkNanos);
            if (fills) {
                link.full(nowNanos);
            }
        }
        link.starved();
        nowNanos += SECOND / 100;
        return coded;
    }
}
