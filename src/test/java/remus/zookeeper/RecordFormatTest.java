package remus.zookeeper;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import remus.availability.HostId;
import remus.availability.OwnershipRecord;
import remus.availability.RequestId;
import remus.base.Term;

class RecordFormatTest {
    private static final HostId ALPHA = new HostId("alpha");
    private static final HostId BETA = new HostId("beta");
    private static final RequestId REQUEST = new RequestId("alpha.1f.3");
    private static final String GOLDEN =
            "{\"format\":1,\"vm\":\"shop\",\"term\":2,\"owner\":\"alpha\",\"backup\":\"beta\","
                    + "\"formerOwner\":null,\"phase\":\"protected\",\"requestId\":\"alpha.1f.3\"}";

    @Test
    void theBytesOfARecordAreThose() {
        OwnershipRecord record = OwnershipRecord.protectedBy(new Term(2), ALPHA, BETA, REQUEST);
        assertEquals(GOLDEN, RecordFormat.encode("shop", record));
    }

    @Test
    void everyKindOfRecordIsReadAsItWasWritten() throws UnreadableRecordException {
        for (OwnershipRecord record : List.of(
                OwnershipRecord.alone(new Term(1), ALPHA, REQUEST),
                OwnershipRecord.protectedBy(new Term(2), ALPHA, BETA, REQUEST),
                OwnershipRecord.activating(new Term(Long.MAX_VALUE), BETA, ALPHA, REQUEST))) {
            assertEquals(record, RecordFormat.decode("shop", RecordFormat.encode("shop", record)));
        }
    }

    @Test
    void theLongestNamesFit() throws UnreadableRecordException {
        OwnershipRecord record = OwnershipRecord.protectedBy(
                new Term(Long.MAX_VALUE),
                new HostId("a".repeat(HostId.MAX_LENGTH)),
                new HostId("b".repeat(HostId.MAX_LENGTH)),
                new RequestId("r".repeat(RequestId.MAX_LENGTH)));
        String vm = "v".repeat(40);
        assertEquals(record, RecordFormat.decode(vm, RecordFormat.encode(vm, record)));
    }

    @Test
    void whatIsNoRecordIsRefusedWithTheReason() {
        assertRefused("", "record");
        assertRefused("null", "record");
        assertRefused("[]", "record");
        assertRefused("{}", "record");
        assertRefused("alpha", "record");
        assertRefused(GOLDEN + "x", "record");
        assertRefused(GOLDEN + GOLDEN, "record");
        assertRefused(GOLDEN.replace("\"format\":1,", ""), "format");
        assertRefused(GOLDEN.replace("\"format\":1", "\"format\":\"1\""), "record");
        assertRefused(GOLDEN.replace("\"format\":1", "\"format\":2"), "upgrade");
        assertRefused(GOLDEN.replace("shop", "mail"), "another VM");
        assertRefused(GOLDEN.replace("\"term\":2", "\"term\":0"), "term");
        assertRefused(GOLDEN.replace("\"term\":2", "\"term\":-1"), "term");
        assertRefused(GOLDEN.replace("\"term\":2", "\"term\":2.5"), "record");
        assertRefused(GOLDEN.replace("\"term\":2", "\"term\":\"2\""), "record");
        assertRefused(GOLDEN.replace("\"term\":2", "\"term\":null"), "record");
        assertRefused(GOLDEN.replace("\"term\":2", "\"term\":9223372036854775808"), "record");
        assertRefused(GOLDEN.replace("\"alpha\"", "null"), "record");
        assertRefused(GOLDEN.replace("\"alpha\"", "\"../x\""), "host");
        assertRefused(GOLDEN.replace("\"beta\"", "\"alpha\""), "owner");
        assertRefused(GOLDEN.replace("\"beta\"", "null"), "phase");
        assertRefused(GOLDEN.replace("protected", "PROTECTED"), "phase");
        assertRefused(GOLDEN.replace("{", "{\"more\":1,"), "more");
        assertRefused(GOLDEN.replace("{", "{\"term\":1,"), "term");
        assertRefused(GOLDEN + " ".repeat(ZooKeeperLimits.MAX_RECORD_CHARS), "characters");
    }

    @Test
    void brokenBytesAreRefusedAndNothingElseIsThrown() {
        Random random = new Random(42);
        for (int round = 0; round < 20_000; round++) {
            byte[] data = GOLDEN.getBytes(StandardCharsets.UTF_8);
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                data[random.nextInt(data.length)] = (byte) random.nextInt(256);
            }
            try {
                OwnershipRecord record = RecordFormat.decode("shop", new String(data, StandardCharsets.UTF_8));
                assertEquals(record, RecordFormat.decode("shop", RecordFormat.encode("shop", record)));
            } catch (UnreadableRecordException e) {
                assertTrue(String.valueOf(e.getMessage()).length() > 10);
            }
        }
    }

    private static void assertRefused(String text, String reason) {
        UnreadableRecordException refused =
                assertThrows(UnreadableRecordException.class, () -> RecordFormat.decode("shop", text), text);
        assertTrue(String.valueOf(refused.getMessage()).contains(reason), refused.getMessage());
    }
}
