"""The files of a locked door: each fault is named with the setting's line and the remedy."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sonogate.errors import SettingsError
from sonogate.observe.metrics import TLS_REFUSALS
from sonogate.receive.certificate import expires_at
from sonogate.receive.tls import check_files
from sonogate.receive.tls_refusals import TlsRefusal
from sonogate.settings.loading import load_checked
from tests.service.receive.keys import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Who vouches."""
    return Authority(tmp_path)


def complaint(folder: Path, **files: Path) -> str:
    """Return what checking the settings of a door with these files says."""
    lines = [f'{key} = "{path}"' for key, path in files.items()]
    config = folder / "gate.toml"
    config.write_text("\n".join(["# a door", "[listener]", *lines, ""]), "utf-8")
    with pytest.raises(SettingsError) as caught:
        load_checked(config, check_files)
    return str(caught.value)


def test_a_sound_pair_is_taken(authority: Authority, tmp_path: Path) -> None:
    """Certificate, key and authority that fit raise nothing."""
    pair, config = authority.door(), tmp_path / "gate.toml"
    config.write_text(
        f'[listener]\ntls_certificate = "{pair.certificate}"\ntls_key = "{pair.key}"\n'
        f'tls_client_ca = "{authority.file}"\n',
        "utf-8",
    )

    assert load_checked(config, check_files).listener.tls_key == pair.key


def test_a_key_of_another_is_named(authority: Authority, tmp_path: Path) -> None:
    """Certificate and key that weren't made together: the key's line, and what to give."""
    door, cart = authority.door(), authority.vouch("cart")
    said = complaint(tmp_path, tls_certificate=door.certificate, tls_key=cart.key)

    assert said.startswith(f"{tmp_path / 'gate.toml'}:4: listener.tls_key: ")
    assert said.endswith("give the two that were made together")


def encrypt(key: Path) -> None:
    """Put a passphrase on a key."""
    read = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        read.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"x"),
        )
    )


def scribble(path: Path) -> None:
    """Write no PEM."""
    path.write_text("not PEM", "utf-8")


@pytest.mark.parametrize(
    ("which", "spoil", "words"),
    [
        (0, Path.unlink, ":3: listener.tls_certificate: {}: No such file or directory; give an"),
        (0, scribble, ":3: listener.tls_certificate: {} holds no PEM certificate; give the chain"),
        (1, Path.unlink, ":4: listener.tls_key: {}: No such file or directory; give an existing"),
        (1, scribble, "can't be used (not PEM); make them again"),
        (1, encrypt, ":4: listener.tls_key: {} has a passphrase; write it without one: openssl"),
        (2, Path.unlink, ":5: listener.tls_client_ca: {}: No such file or directory; give an"),
        (2, scribble, ":5: listener.tls_client_ca: {} holds no PEM certificate; give the"),
    ],
)
def test_each_broken_file_is_named_with_its_line(
    authority: Authority, tmp_path: Path, which: int, spoil: Callable[[Path], object], words: str
) -> None:
    """Missing, garbage, with a passphrase: nobody is asked on a terminal, nothing starts."""
    pair = authority.door()
    files = [pair.certificate, pair.key, authority.file]
    spoil(files[which])
    said = complaint(tmp_path, tls_certificate=files[0], tls_key=files[1], tls_client_ca=files[2])

    assert words.format(files[which]) in said


def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    """RSA of 1024 bits is below what RFC 9325 asks for."""
    certificate, key = tmp_path / "weak.crt", tmp_path / "weak.key"
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is what is tested
    key.write_bytes(
        weak.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weak")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(
        name, name, weak.public_key(), 1, now, now + timedelta(days=1)
    ).sign(weak, hashes.SHA256())
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    said = complaint(tmp_path, tls_certificate=certificate, tls_key=key)

    assert "too weak; make one with RSA of 2048 bits or more, or ECDSA P-256" in said


@pytest.mark.parametrize("days", [-400, 30, 3650, 36500])
def test_the_end_of_a_certificate_is_read(authority: Authority, days: int) -> None:
    """Before and after 2050, where X.509 changes how it writes a time."""
    pair = authority.vouch("cart", for_days=days)
    until = datetime.now(UTC) + timedelta(days=days)

    assert abs(expires_at(pair.certificate) - until) < timedelta(minutes=1)


def test_every_refusal_is_counted_from_zero() -> None:
    """The metric's closed set is the enumeration."""
    assert tuple(refusal.value for refusal in TlsRefusal) == TLS_REFUSALS
