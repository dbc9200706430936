package remus.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Reads the small text files that commands are given. */
final class TextFile {
    private TextFile() {}

    /**
     * The file's text.
     *
     * @param what names the file's purpose in errors
     * @throws CommandException when it can't be read, is no UTF-8 text, or longer than {@code maxBytes}
     */
    static String read(Path file, int maxBytes, String what) throws CommandException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] bytes = in.readNBytes(maxBytes + 1);
            if (bytes.length > maxBytes) {
                throw new CommandException(
                        "%s: '%s' has more than %d bytes; is it the right file?".formatted(what, file, maxBytes));
            }
            return UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            throw new CommandException("%s: '%s' is not UTF-8 text; is it the right file?".formatted(what, file), e);
        } catch (NoSuchFileException e) {
            throw new CommandException("%s: there is no file '%s'".formatted(what, file), e);
        } catch (IOException e) {
            throw new CommandException("%s: '%s' can't be read: %s".formatted(what, file, e.getMessage()), e);
        }
    }
}
