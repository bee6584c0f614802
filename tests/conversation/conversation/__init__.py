# SPDX-License-Identifier: Apache-2.0
"""What the conversations are written with: see ../README."""
