package remus.availability;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import remus.availability.OwnershipRecord.Phase;
import remus.base.Term;

class OwnershipRecordTest {
    private static final HostId ALPHA = new HostId("alpha");
    private static final HostId BETA = new HostId("beta");
    private static final RequestId REQUEST = RequestId.of(ALPHA, "1f", 3);

    @Test
    void aRecordThatContradictsItselfCannotBeMade() {
        Term term = new Term(2);
        assertRefused(() -> new OwnershipRecord(Term.NONE, ALPHA, null, null, Phase.ALONE, REQUEST));
        assertRefused(() -> new OwnershipRecord(term, ALPHA, BETA, null, Phase.ALONE, REQUEST));
        assertRefused(() -> new OwnershipRecord(term, ALPHA, null, null, Phase.PROTECTED, REQUEST));
        assertRefused(() -> new OwnershipRecord(term, ALPHA, ALPHA, null, Phase.PROTECTED, REQUEST));
        assertRefused(() -> new OwnershipRecord(term, ALPHA, null, null, Phase.ACTIVATING, REQUEST));
        assertRefused(() -> new OwnershipRecord(term, ALPHA, null, ALPHA, Phase.ACTIVATING, REQUEST));
        assertRefused(() -> new OwnershipRecord(term, ALPHA, BETA, BETA, Phase.PROTECTED, REQUEST));
    }

    @Test
    void recordsReadAsAPersonWouldSayThem() {
        assertEquals(
                "term 2, alpha alone",
                OwnershipRecord.alone(new Term(2), ALPHA, REQUEST).toString());
        assertEquals(
                "term 2, alpha, backed up by beta",
                OwnershipRecord.protectedBy(new Term(2), ALPHA, BETA, REQUEST).toString());
        assertEquals(
                "term 2, beta taking over from alpha",
                OwnershipRecord.activating(new Term(2), BETA, ALPHA, REQUEST).toString());
    }

    @Test
    void namesThatTheArbiterCouldMistakeAreRefused() {
        assertEquals("alpha.1f.3", REQUEST.value());
        assertRefused(() -> new HostId(""));
        assertRefused(() -> new HostId("a b"));
        assertRefused(() -> new HostId("../x"));
        assertRefused(() -> new HostId("a".repeat(HostId.MAX_LENGTH + 1)));
        assertRefused(() -> new RequestId("a/b"));
        assertRefused(() -> new RequestId(""));
    }

    private static void assertRefused(Runnable making) {
        assertThrows(IllegalArgumentException.class, making::run);
    }
}
