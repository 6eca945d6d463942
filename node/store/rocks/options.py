"""Options of the database, and which table lies in which column family.

There are three families, by how their rows live (measured: decision 0008). Rows that stay (`default`) are compacted by universal
style, because flushes are small and many. Queues, whose rows come and go, are small, so their tombstones are compacted away early at
little cost. Small bodies have values in blob files. All families are flushed together (atomic_flush), so a lost tail of the log
never leaves one of them ahead of the commit number.
"""

from rocksdict import (
    BlockBasedOptions,
    Cache,
    ChecksumType,
    DBCompactionStyle,
    DBCompressionType,
    DBRecoveryMode,
    Options,
)

from node.model.policy import KIB, MIB
from node.rows import keys

DEFAULT, QUEUES, BODIES = "default", "queues", "bodies"
FAMILIES = dict.fromkeys(keys.QUEUES, QUEUES) | {keys.BODY[0]: BODIES}
"""Table (first octet of a key) to the family that holds it, if not the default one."""
BODIES_BUFFER_BYTES = 32 * MIB
"""This buffer fills first and so sets the pace of flushes: every 600 packets of 50 KB."""
RECOVERY = DBRecoveryMode.tolerate_corrupted_tail_records()
"""How the log is replayed: a record that was cut off ends it, a damaged one refuses the start (salvage.py leads on)."""


def family_options(block_cache: Cache, name: str, *, collecting: bool = True) -> Options:
    """Return the options of a family; with `collecting`, compaction writes anew what lives in the oldest blob files."""
    table = BlockBasedOptions()
    table.set_block_cache(block_cache)
    table.set_bloom_filter(10, False)
    table.set_checksum_type(ChecksumType.xxh3())
    options = Options(raw_mode=True)
    options.set_block_based_table_factory(table)
    options.set_compression_type(DBCompressionType.none() if name == BODIES else DBCompressionType.lz4())
    options.set_write_buffer_size(16 * MIB)
    options.set_max_write_buffer_number(3)
    options.set_level_zero_file_num_compaction_trigger(4)
    options.set_level_zero_slowdown_writes_trigger(40)
    options.set_level_zero_stop_writes_trigger(80)
    if name == BODIES:
        options.set_write_buffer_size(BODIES_BUFFER_BYTES)
        options.set_enable_blob_files(True)
        options.set_min_blob_size(1 * KIB)
        options.set_blob_file_size(64 * MIB)
        options.set_blob_compression_type(DBCompressionType.none())
        # Every compaction writes anew whatever still lives in the oldest files, up to this share of them. Bodies go in about the
        # order in which they came, so the oldest files are nearly empty; with a half, each body was written three or four times.
        options.set_enable_blob_gc(collecting)
        options.set_blob_gc_age_cutoff(0.1)
        options.set_level_zero_file_num_compaction_trigger(8)
    elif name == QUEUES:
        # Queues leave tombstones at their heads; files full of them are compacted early.
        options.add_compact_on_deletion_collector_factory(1024, 512, 0.5)
    else:
        options.set_compaction_style(DBCompactionStyle.universal())
    return options


def database_options(block_cache: Cache, recovery: DBRecoveryMode) -> Options:
    """Return the options of the whole."""
    options = family_options(block_cache, DEFAULT)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_wal_recovery_mode(recovery)
    options.set_paranoid_checks(True)
    options.set_atomic_flush(True)
    options.set_max_total_wal_size(256 * MIB)
    options.set_bytes_per_sync(1 * MIB)
    options.set_wal_bytes_per_sync(1 * MIB)
    options.set_max_open_files(256)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(4)
    options.set_max_log_file_size(4 * MIB)
    options.set_stats_dump_period_sec(0)
    options.set_stats_persist_period_sec(0)
    return options
