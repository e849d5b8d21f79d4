"""The inventory's tables."""

import sqlalchemy as sa
from alembic import op

revision = "inventory_0001"
down_revision = None
branch_labels = ("inventory",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inventory_device_roles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_device_roles")),
        sa.UniqueConstraint("name", name=op.f("uq_inventory_device_roles_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_inventory_device_roles_slug")),
    )
    op.create_table(
        "inventory_manufacturers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_manufacturers")),
        sa.UniqueConstraint("name", name=op.f("uq_inventory_manufacturers_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_inventory_manufacturers_slug")),
    )
    op.create_table(
        "inventory_statuses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("slug", sa.String(length=50), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_statuses")),
        sa.UniqueConstraint("name", name=op.f("uq_inventory_statuses_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_inventory_statuses_slug")),
    )
    op.create_table(
        "inventory_device_types",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("manufacturer_id", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("part_number", sa.String(length=50), nullable=False),
        sa.Column("u_height", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["manufacturer_id"],
            ["inventory_manufacturers.id"],
            name=op.f("fk_inventory_device_types_manufacturer_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_device_types")),
        sa.UniqueConstraint(
            "manufacturer_id", "model", name=op.f("uq_inventory_device_types_manufacturer_id_model")
        ),
        sa.UniqueConstraint(
            "manufacturer_id", "slug", name=op.f("uq_inventory_device_types_manufacturer_id_slug")
        ),
    )
    op.create_index(op.f("ix_inventory_device_types_slug"), "inventory_device_types", ["slug"])

    op.create_table(
        "inventory_sites",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("status_id", sa.Integer(), nullable=False),
        sa.Column("facility", sa.String(length=50), nullable=False),
        sa.Column("physical_address", sa.String(length=200), nullable=False),
        sa.Column("time_zone", sa.String(length=50), nullable=False),
        sa.ForeignKeyConstraint(
            ["status_id"], ["inventory_statuses.id"], name=op.f("fk_inventory_sites_status_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_sites")),
        sa.UniqueConstraint("name", name=op.f("uq_inventory_sites_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_inventory_sites_slug")),
    )
    op.create_index(op.f("ix_inventory_sites_status_id"), "inventory_sites", ["status_id"])

    op.create_table(
        "inventory_devices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("device_type_id", sa.Integer(), nullable=False),
        sa.Column("device_role_id", sa.Integer(), nullable=False),
        sa.Column("status_id", sa.Integer(), nullable=False),
        sa.Column("serial", sa.String(length=50), nullable=False),
        sa.Column("asset_tag", sa.String(length=50), nullable=True),
        sa.ForeignKeyConstraint(
            ["device_role_id"],
            ["inventory_device_roles.id"],
            name=op.f("fk_inventory_devices_device_role_id"),
        ),
        sa.ForeignKeyConstraint(
            ["device_type_id"],
            ["inventory_device_types.id"],
            name=op.f("fk_inventory_devices_device_type_id"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["inventory_sites.id"], name=op.f("fk_inventory_devices_site_id")
        ),
        sa.ForeignKeyConstraint(
            ["status_id"], ["inventory_statuses.id"], name=op.f("fk_inventory_devices_status_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_devices")),
        sa.UniqueConstraint("asset_tag", name=op.f("uq_inventory_devices_asset_tag")),
        sa.UniqueConstraint("site_id", "name", name=op.f("uq_inventory_devices_site_id_name")),
    )
    op.create_index(op.f("ix_inventory_devices_device_role_id"), "inventory_devices", ["device_role_id"])
    op.create_index(op.f("ix_inventory_devices_device_type_id"), "inventory_devices", ["device_type_id"])
    op.create_index("ix_inventory_devices_listing", "inventory_devices", ["name", "id"])
    op.create_index(op.f("ix_inventory_devices_status_id"), "inventory_devices", ["status_id"])

    op.create_table(
        "inventory_console_ports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("connected_endpoint_id", sa.Integer(), nullable=True),
        sa.Column("connection_status", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connected_endpoint_id"],
            ["inventory_devices.id"],
            name=op.f("fk_inventory_console_ports_connected_endpoint_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["inventory_devices.id"],
            name=op.f("fk_inventory_console_ports_device_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_console_ports")),
        sa.UniqueConstraint("device_id", "name", name=op.f("uq_inventory_console_ports_device_id_name")),
    )
    op.create_index(
        op.f("ix_inventory_console_ports_connected_endpoint_id"),
        "inventory_console_ports",
        ["connected_endpoint_id"],
    )

    op.create_table(
        "inventory_power_ports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("connected_endpoint_id", sa.Integer(), nullable=True),
        sa.Column("connection_status", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["connected_endpoint_id"],
            ["inventory_devices.id"],
            name=op.f("fk_inventory_power_ports_connected_endpoint_id"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["inventory_devices.id"],
            name=op.f("fk_inventory_power_ports_device_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inventory_power_ports")),
        sa.UniqueConstraint("device_id", "name", name=op.f("uq_inventory_power_ports_device_id_name")),
    )
    op.create_index(
        op.f("ix_inventory_power_ports_connected_endpoint_id"),
        "inventory_power_ports",
        ["connected_endpoint_id"],
    )


def downgrade() -> None:
    op.drop_table("inventory_power_ports")
    op.drop_table("inventory_console_ports")
    op.drop_table("inventory_devices")
    op.drop_table("inventory_sites")
    op.drop_table("inventory_device_types")
    op.drop_table("inventory_statuses")
    op.drop_table("inventory_manufacturers")
    op.drop_table("inventory_device_roles")
