package remus.base;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class IdsTest {
    @Test
    void epochsAreCountedFromOne() {
        EpochId first = EpochId.NONE.next();
        assertEquals(new EpochId(1), first);
        assertTrue(first.next().isAfter(first));
        assertFalse(first.isAfter(first));
        assertTrue(first.compareTo(first.next()) < 0);
        assertEquals("1", first.toString());
        assertThrows(IllegalArgumentException.class, () -> new EpochId(-1));
    }

    @Test
    void termsAreCountedFromOne() {
        Term first = Term.NONE.next();
        assertEquals(new Term(1), first);
        assertTrue(first.next().isAfter(first));
        assertFalse(first.isAfter(first));
        assertTrue(first.compareTo(first.next()) < 0);
        assertEquals("1", first.toString());
        assertThrows(IllegalArgumentException.class, () -> new Term(-1));
    }
}
